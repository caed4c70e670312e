"""The verbs of the product. Each may be called from anywhere; each leaves the rows consistent and
the rest to the reconciler."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.models import Team, User
from hosting import rates, route_table, subdomains, tokens, wire
from hosting.errors import ModelInactive, SubdomainTaken, WakeBackoff
from hosting.lifecycle import draining, machine, validation, wakes
from hosting.lifecycle.revisions import (
    abort_canary,
    deploy,
    promote,
    reach,
    redeploy,
    roll_back,
    start_canary,
)
from hosting.lifecycle.specs import RevisionSpec, catalogue_spec
from hosting.logs import keeping
from hosting.models import EndpointToken, HostedModel
from hosting.states import Event, State

__all__ = [
    "Created",
    "RevisionSpec",
    "abort_canary",
    "activate",
    "catalogue_spec",
    "change_settings",
    "create_model",
    "deactivate",
    "delete_model",
    "deploy",
    "promote",
    "reach",
    "redeploy",
    "roll_back",
    "sleep",
    "start_canary",
    "wake",
    "wake_as_read",
]


@dataclass(frozen=True, slots=True)
class Created:
    """A new model; a private one comes with its first token, whose secret is shown once."""

    model: HostedModel
    token: EndpointToken | None
    secret: str | None


@transaction.atomic
def create_model(
    team: Team,
    *,
    subdomain: str,
    revision: RevisionSpec,
    public: bool = False,
    description: str = "",
    created_by: User | None = None,
    idle_timeout_seconds: int | None = None,
) -> Created:
    """Create a model that answers its next request. Raises SubdomainTaken or InvalidValue."""
    subdomains.require(subdomain, team=team)
    validation.check_revision(revision)
    idle_timeout = idle_timeout_seconds or settings.IDLE_TIMEOUT_SECONDS
    validation.check_timeouts(idle_timeout_seconds=idle_timeout)
    try:
        with transaction.atomic():
            model = HostedModel.objects.create(
                team=team,
                subdomain=subdomain,
                public=public,
                description=description,
                created_by=created_by,
                idle_timeout_seconds=idle_timeout,
                request_timeout_seconds=settings.REQUEST_TIMEOUT_SECONDS,
                startup_timeout_seconds=settings.STARTUP_TIMEOUT_SECONDS,
            )
    except IntegrityError as error:  # somebody took the name since it was checked
        raise SubdomainTaken(subdomain) from error
    deploy(model, revision=revision, created_by=created_by)
    if public:
        return Created(model, token=None, secret=None)
    token, secret = tokens.issue(model, label="first token", created_by=created_by)
    return Created(model, token=token, secret=secret)


def change_settings(
    model: HostedModel,
    *,
    public: bool | None = None,
    description: str | None = None,
    idle_timeout_seconds: int | None = None,
    deep_sleep_after_seconds: int | None = None,
    request_timeout_seconds: int | None = None,
    startup_timeout_seconds: int | None = None,
    min_replicas: int | None = None,
    max_replicas: int | None = None,
    rate_limit: str | None = None,
    max_body_mb: int | None = None,
    auto_rollback: bool | None = None,
    wake_routes: Sequence[str] | None = None,
    wake_methods: Sequence[str] | None = None,
    wake_without_token: bool | None = None,
    warm_windows: Sequence[str] | None = None,
    time_zone: str | None = None,
) -> None:
    """Change what is given; None leaves a setting as it is. Raises InvalidValue."""
    timeouts = {
        "idle_timeout_seconds": idle_timeout_seconds,
        "deep_sleep_after_seconds": deep_sleep_after_seconds,
        "request_timeout_seconds": request_timeout_seconds,
        "startup_timeout_seconds": startup_timeout_seconds,
    }
    changed = {name: value for name, value in timeouts.items() if value is not None}
    validation.check_timeouts(**changed)
    given: dict[str, object] = dict(changed)
    plain = {
        "public": public,
        "description": description,
        "auto_rollback": auto_rollback,
        "wake_without_token": wake_without_token,
    }
    given |= {name: value for name, value in plain.items() if value is not None}
    if rate_limit is not None:
        given["rate_limit"] = rates.spelled(rate_limit)
    if max_body_mb is not None:
        validation.check_body(max_body_mb)
        given["max_body_mb"] = max_body_mb
    given |= validation.waking_rules(routes=wake_routes, methods=wake_methods)
    given |= validation.warm_hours(windows=warm_windows, time_zone=time_zone)
    with transaction.atomic():
        if min_replicas is not None or max_replicas is not None:
            # Each is checked against the other as it is, not as somebody read it.
            row = HostedModel.objects.select_for_update().get(pk=model.pk)
            given |= validation.replica_bounds(row, least=min_replicas, most=max_replicas)
        if given:
            _change(model, **given)


def activate(model: HostedModel) -> None:
    """Switch the model on: its endpoint exists again, and the next request wakes it."""
    with transaction.atomic():
        _change(model, active=True)


def deactivate(model: HostedModel, *, cause: str, now: datetime) -> None:
    """Switch the model off: 404 on every route, no waking, and what runs is put to sleep."""
    with transaction.atomic():
        _change(model, active=False)
        _put_to_sleep(model, cause=cause, now=now)


def wake(
    model: HostedModel,
    *,
    cause: str,
    now: datetime,
    asker: wire.Asker | None = None,
    respect_backoff: bool = False,
    nudge: bool = True,
) -> None:
    """Ask for a replica. Safe to call at any time, from anyone, any number of times.

    A person may try again at once after a failed wake; requests (`respect_backoff`) may not. A
    worker that reconciles next needs no `nudge`. Raises ModelInactive or WakeBackoff.
    """
    model.refresh_from_db()
    wake_as_read(
        model, cause=cause, now=now, asker=asker, respect_backoff=respect_backoff, nudge=nudge
    )


def wake_as_read(
    model: HostedModel,
    *,
    cause: str,
    now: datetime,
    asker: wire.Asker | None = None,
    respect_backoff: bool = False,
    nudge: bool = True,
) -> None:
    """`wake` for who has just read the row: a request has no time for reading it twice."""
    if not model.active or model.deleted_at is not None:
        raise ModelInactive(model.subdomain)
    if respect_backoff and model.state == State.FAILED and model.retry_at and now < model.retry_at:
        seconds = (model.retry_at - now).total_seconds()
        raise WakeBackoff(f"{model.failure_reason} The next try is due in {seconds:.0f} s.")
    asked_by = wakes.asked_by(asker, cause=cause, now=now)
    moved = machine.apply(
        model, Event.REQUEST, now=now, cause=cause, nudge=nudge, asked_by=asked_by
    )
    if not moved:
        route_table.publish(model.pk)  # whoever asks has an older route


def sleep(model: HostedModel, *, cause: str, now: datetime) -> None:
    """Stop its replica: requests in flight end first, later ones wake it again.

    Safe to repeat. Only idleness makes a model drowsy; who asks for sleep wants the memory back.
    """
    _put_to_sleep(model, cause=cause, now=now)


def delete_model(model: HostedModel, *, cause: str, now: datetime) -> None:
    """Delete for good, its log included. Its usage stays on record.

    Its name stays the team's for 90 days.
    """
    with transaction.atomic():
        _change(model, active=False, deleted_at=now)
        keeping.erase(model)
        if not _put_to_sleep(model, cause=cause, now=now):
            machine.nudge_on_commit(model.pk)


def _put_to_sleep(model: HostedModel, *, cause: str, now: datetime) -> bool:
    """Leave a drain that already leads to a stop alone: routers would have to let go again."""
    model.refresh_from_db()
    model.targets.filter(share=None).delete()  # they sleep with the model, and wake when asked for
    if model.current_state == State.DRAINING and not draining.may_doze(model):
        return False
    return machine.apply(model, Event.SLEEP, now=now, cause=cause)


def _change(model: HostedModel, **fields: Any) -> None:
    """Write columns the routers must hear of; callers hold a transaction."""
    HostedModel.objects.filter(pk=model.pk).update(generation=F("generation") + 1, **fields)
    model.refresh_from_db()
    route_table.publish_on_commit(model.pk)
