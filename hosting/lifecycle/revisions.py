"""Which revision a model points at, and which are in use beside it.

Forward by a deploy or by way of a canary; back by a person, or by what went wrong.
"""

from dataclasses import asdict, fields
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import User
from hosting import route_table
from hosting.errors import InvalidValue, NoCanary
from hosting.lifecycle import builds, describing, machine, validation
from hosting.lifecycle.specs import RevisionSpec
from hosting.models import Decision, HostedModel, Revision, Target
from hosting.models.decision import DecisionKind
from hosting.models.replica import ReplicaStatus
from hosting.states import State


@transaction.atomic
def deploy(
    model: HostedModel,
    *,
    revision: RevisionSpec,
    created_by: User | None,
    canary_share: int | None = None,
    now: datetime | None = None,
) -> Revision:
    """Make a new revision, and make it the current one; or a canary, when a share is given.

    An awake model goes on serving with the old one until the new one answers, the golden requests
    included; if it never does, the old one stays. A canary that is under way ends.
    """
    validation.check_revision(revision)
    now = now or timezone.now()
    row = HostedModel.objects.select_for_update().get(pk=model.pk)  # numbered one by one
    made = Revision.objects.create(
        model=model, number=row.last_revision + 1, created_by=created_by, **asdict(revision)
    )
    HostedModel.objects.filter(pk=model.pk).update(last_revision=made.number)
    if canary_share is None or row.revision_id is None:
        _make_current(model, made, now=now)
        _note(made, DecisionKind.DEPLOYED, by=created_by, now=now)
    else:
        _try_beside(model, made, share=canary_share, created_by=created_by, now=now)
    if made.catalogue_slug is not None:
        builds.request(made.catalogue_slug)
    describing.request(made)
    return made


def redeploy(model: HostedModel, *, created_by: User | None) -> Revision:
    """Deploy what runs once more: new replicas take over, with the secrets as they are now."""
    current = model.revision
    if current is None:
        raise InvalidValue("It has no revision to run.")
    same = {each.name: getattr(current, each.name) for each in fields(RevisionSpec)}
    return deploy(model, revision=RevisionSpec(**same), created_by=created_by)


@transaction.atomic
def roll_back(
    model: HostedModel,
    *,
    number: int,
    by: User | None,
    ask: bool = True,
    now: datetime | None = None,
) -> Revision:
    """Make an earlier revision the current one again, by the door of a deploy.

    It must answer the golden requests as they are now, or what is current stays; one that still
    serves has nothing to prove. Not to `ask` is for emergencies. Raises InvalidValue.
    """
    now = now or timezone.now()
    revision = _find(model, number)
    if revision.pk != model.revision_id:
        _forgive(revision)
        if not ask:
            Revision.objects.filter(pk=revision.pk, admitted_at=None).update(admitted_at=now)
        elif not _serves(model, revision):
            Revision.objects.filter(pk=revision.pk).update(admitted_at=None)
        _make_current(model, revision, now=now)
        detail = "" if ask else "without asking the golden requests"
        _note(revision, DecisionKind.ROLLED_BACK, by=by, now=now, detail=detail)
    return revision


@transaction.atomic
def start_canary(
    model: HostedModel, *, number: int, share: int, created_by: User | None, now: datetime
) -> Target:
    """Have a revision take a share of the queries beside the current one, or change its share.

    It gets replicas of its own; until they answer, the current one goes on answering everything.
    """
    revision = _find(model, number)
    if revision.pk == model.revision_id:
        raise InvalidValue(f"{revision} is the current revision already.", field="number")
    _forgive(revision)
    return _try_beside(model, revision, share=share, created_by=created_by, now=now)


@transaction.atomic
def promote(model: HostedModel, *, by: User | None, now: datetime) -> Revision:
    """Make the canary the current revision. Raises NoCanary."""
    revision = _canary(model).revision
    _make_current(model, revision, now=now)
    _note(revision, DecisionKind.PROMOTED, by=by, now=now)
    return revision


@transaction.atomic
def abort_canary(model: HostedModel, *, by: User | None, now: datetime) -> Revision:
    """Give the canary's share back to the current revision. Raises NoCanary."""
    canary = _canary(model)
    let_go(canary)
    _note(canary.revision, DecisionKind.ABORTED, by=by, now=now)
    model.refresh_from_db()
    return canary.revision


@transaction.atomic
def reach(model: HostedModel, *, number: int, now: datetime) -> bool:
    """Have a replica of exactly this revision run beside the current ones, for who asked for it.

    False for the current revision, which runs anyway, and for one that never was.
    """
    model.refresh_from_db(fields=["revision"])
    revision = model.revisions.filter(number=number).first()
    if revision is None or revision.pk == model.revision_id:
        return False
    target, made = Target.objects.get_or_create(
        revision=revision, defaults={"model": model, "asked_at": now}
    )
    rows = model.targets.filter(pk=target.pk)
    rows.filter(share=None).update(asked_at=now)
    rows.filter(retry_at__lte=now).update(retry_at=None, failure_reason="")
    _announce(model)
    return made


def let_go(target: Target) -> bool:
    """Use the revision no longer beside the current one; False when somebody was first."""
    with transaction.atomic():
        if not Target.objects.filter(pk=target.pk).delete()[0]:
            return False
        _announce(target.model)
    return True


def give_way(model: HostedModel, revision: Revision, *, reason: str, now: datetime) -> bool:
    """Call off a revision that never took traffic; False when it did, or nothing was before it.

    A revision that served once is not given up: what fails then is something else.
    """
    served = Revision.objects.filter(pk=revision.pk, admitted_at__isnull=False)
    return not served.exists() and call_off(model, revision, reason=reason, now=now)


def call_off(model: HostedModel, revision: Revision, *, reason: str, now: datetime) -> bool:
    """Reject a revision: as a canary it ends, as the current one it gives way to the one before.

    False when somebody changed the model first, or no revision came before it.
    """
    with transaction.atomic():
        canary = Target.objects.filter(revision=revision, share__isnull=False).first()
        if canary is not None:
            called_off = let_go(canary)
        else:
            before = _one_before(model, revision)
            called_off = before is not None and point_at(
                model, before, instead_of=revision, now=now
            )
        if called_off:
            rejected = Revision.objects.filter(pk=revision.pk)
            rejected.update(rejected_at=now, rejected_reason=reason)
            _note(revision, DecisionKind.CALLED_OFF, by=None, now=now, detail=reason)
    return called_off


def point_at(
    model: HostedModel, revision: Revision, *, instead_of: Revision, now: datetime
) -> bool:
    """Change the pointer unless somebody did so first; callers hold a transaction."""
    unmoved = HostedModel.objects.filter(pk=model.pk, revision=instead_of)
    moved = unmoved.update(
        revision=revision,
        previous_revision=instead_of,
        revision_changed_at=now,
        generation=F("generation") + 1,
    )
    if moved:
        model.targets.filter(revision=revision).delete()
        _announce(model)
    return bool(moved)


def _make_current(model: HostedModel, revision: Revision, *, now: datetime) -> None:
    HostedModel.objects.filter(pk=model.pk).update(
        previous_revision=F("revision"),
        revision=revision,
        revision_changed_at=now,
        retry_at=None,
    )
    model.targets.filter(Q(share__isnull=False) | Q(revision=revision)).delete()
    _announce(model)


def _try_beside(
    model: HostedModel,
    revision: Revision,
    *,
    share: int,
    created_by: User | None,
    now: datetime,
) -> Target:
    validation.check_share(share)
    HostedModel.objects.select_for_update().get(pk=model.pk)  # one canary at a time
    model.targets.filter(share__isnull=False).exclude(revision=revision).delete()
    target, _ = Target.objects.get_or_create(revision=revision, defaults={"model": model})
    if target.share is None:  # else it is the share that changes, and the trial goes on
        target.asked_at, target.created_by = now, created_by
    target.share, target.retry_at, target.failure_reason = share, None, ""
    target.save()
    detail = f"with {share} % of the queries" if share else "by who asks for it"
    _note(revision, DecisionKind.TRIED, by=created_by, now=now, detail=detail)
    _announce(model)
    return target


def _note(
    revision: Revision, kind: DecisionKind, *, by: User | None, now: datetime, detail: str = ""
) -> None:
    Decision.objects.create(
        model_id=revision.model_id, revision=revision, kind=kind, by=by, at=now, detail=detail[:300]
    )


def _announce(model: HostedModel) -> None:
    """Have routers and a worker hear of the change; callers hold a transaction."""
    HostedModel.objects.filter(pk=model.pk).update(generation=F("generation") + 1)
    model.refresh_from_db()
    route_table.publish_on_commit(model.pk)
    machine.nudge_on_commit(model.pk)


def _serves(model: HostedModel, revision: Revision) -> bool:
    """Whether it has callers at this moment: not by its address alone, nor from before a sleep."""
    there = model.replicas.filter(revision=revision, status=ReplicaStatus.READY)
    pinned = model.targets.filter(revision=revision, share=None)
    awake = HostedModel.objects.filter(pk=model.pk, state=State.AWAKE)
    return awake.exists() and there.exists() and not pinned.exists()


def _one_before(model: HostedModel, revision: Revision) -> Revision | None:
    """The revision that served last before this one, and is still good."""
    good = model.revisions.filter(admitted_at__isnull=False, rejected_at=None)
    others = good.exclude(pk=revision.pk)
    previous = others.filter(pk=model.previous_revision_id or 0).first()
    return previous or others.order_by("-number").first()


def _find(model: HostedModel, number: int) -> Revision:
    model.refresh_from_db(fields=["revision"])
    revision = model.revisions.filter(number=number).first()
    if revision is None:
        raise InvalidValue(f"There is no revision {number}.", field="number")
    return revision


def _canary(model: HostedModel) -> Target:
    canary = (
        model.targets.filter(share__isnull=False)
        .select_for_update(of=("self",))
        .select_related("revision", "model")
        .first()
    )
    if canary is None:
        raise NoCanary(f"{model} has no canary. Start one with a revision and a share.")
    return canary


def _forgive(revision: Revision) -> None:
    """Somebody wants it all the same."""
    Revision.objects.filter(pk=revision.pk).update(rejected_at=None, rejected_reason="")
    revision.refresh_from_db(fields=["rejected_at", "rejected_reason"])
