"""Reads for the dashboard and the API: scoped by team, ready to be shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import Team
from hosting import catalogue
from hosting.models import (
    Build,
    Decision,
    EndpointToken,
    GoldenRequest,
    HostedModel,
    Replica,
    Revision,
    Target,
    Transition,
    Wake,
)
from hosting.models.replica import ReplicaStatus
from hosting.models.wake import WakeOutcome


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in one state."""

    state: str
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end - self.start).total_seconds()


def hosted_models(team: Team) -> QuerySet[HostedModel]:
    """A team's models, by subdomain."""
    return (
        HostedModel.objects.filter(team=team, deleted_at=None)
        .select_related("revision__created_by", "created_by")
        .order_by("subdomain")
    )


def find_model(team: Team, subdomain: str) -> HostedModel | None:
    """A team's model of this name; another team's is as absent as one that never was."""
    return hosted_models(team).filter(subdomain=subdomain).first()


def tokens(model: HostedModel) -> QuerySet[EndpointToken]:
    """The tokens that are not revoked, newest first."""
    return model.tokens.filter(revoked_at=None).select_related("created_by").order_by("-pk")


def find_token(model: HostedModel, token_id: int) -> EndpointToken | None:
    """One of the model's tokens that is not revoked."""
    return tokens(model).filter(pk=token_id).first()


def revisions(model: HostedModel) -> QuerySet[Revision]:
    """All revisions, newest first, with how each is in use."""
    return model.revisions.select_related("created_by", "target", "model").order_by("-number")


def canary(model: HostedModel) -> Target | None:
    """The revision that is tried beside the current one."""
    tried = model.targets.filter(share__isnull=False)
    return tried.select_related("revision__created_by", "created_by").first()


def decisions(model: HostedModel) -> QuerySet[Decision]:
    """Who decided which revision runs, newest first."""
    return model.decisions.select_related("revision", "by")


def canaries(models: Iterable[HostedModel]) -> dict[int, Target]:
    """The canaries of several models, by model id, in one query."""
    found = Target.objects.filter(model__in=models, share__isnull=False)
    return {target.model_id: target for target in found.select_related("revision")}


def golden_requests(model: HostedModel) -> QuerySet[GoldenRequest]:
    """What a new revision is asked, in that order."""
    return model.golden_requests.select_related("created_by")


def find_golden_request(model: HostedModel, golden_id: int) -> GoldenRequest | None:
    """One of the model's golden requests."""
    return model.golden_requests.filter(pk=golden_id).first()


def transitions(model: HostedModel, *, limit: int = 20) -> list[Transition]:
    """The last moves, newest first."""
    return list(model.transitions.all()[:limit])


def spans(model: HostedModel, *, since: datetime, until: datetime) -> list[Span]:
    """The states the model was in, oldest first, without gaps from its creation on."""
    return spans_of_many([model], since=since, until=until)[model.pk]


def spans_of_many(
    models: Iterable[HostedModel], *, since: datetime, until: datetime
) -> dict[int, list[Span]]:
    """The spans of several models, by model id, in one query."""
    by_id = {model.pk: model for model in models}
    moves: dict[int, list[Transition]] = {model_id: [] for model_id in by_id}
    found = Transition.objects.filter(model_id__in=by_id, at__gt=since, at__lte=until)
    for move in found.order_by("at", "pk"):
        moves[move.model_id].append(move)
    return {
        model_id: _spans(model, moves[model_id], since=since, until=until)
        for model_id, model in by_id.items()
    }


def build_of(revision: Revision | None) -> Build | None:
    """How far the building of the revision's catalogue image is; None without a build."""
    entry = catalogue.find(revision.catalogue_slug or "") if revision else None
    if entry is None:
        return None
    fingerprint = catalogue.recipe(entry).fingerprint
    return Build.objects.filter(slug=entry.slug, fingerprint=fingerprint).order_by("-pk").first()


def current_replica(model: HostedModel) -> Replica | None:
    """The replica that runs or starts."""
    return (
        model.replicas.exclude(status=ReplicaStatus.GONE)
        .select_related("revision")
        .order_by("-pk")
        .first()
    )


def last_replica(model: HostedModel) -> Replica | None:
    """The newest replica, gone or not: how the last wake went."""
    return model.replicas.select_related("revision").order_by("-pk").first()


def wakes(model: HostedModel) -> QuerySet[Wake]:
    """Its wakes, newest first."""
    return model.wakes.select_related("model", "revision", "token").order_by("-pk")


def wake_seconds(team: Team, *, since: datetime) -> list[float]:
    """How long each wake of a team's models took that has succeeded since then."""
    woken = Wake.objects.filter(
        model__team=team, outcome=WakeOutcome.AWAKE, ended_at__gte=since
    ).values_list("asked_at", "ended_at")
    return [(ended - asked).total_seconds() for asked, ended in woken]


def _spans(
    model: HostedModel, moves: list[Transition], *, since: datetime, until: datetime
) -> list[Span]:
    state = moves[0].from_state if moves else model.state
    start = max(since, model.created_at)
    result = []
    for move in moves:
        if move.at > start:
            result.append(Span(state, start, move.at))
        state, start = move.to_state, max(start, move.at)
    if until > start:
        result.append(Span(state, start, until))
    return result
