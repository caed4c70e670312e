"""Whether there is room for another replica, and on which node; what there is none for waits.

Rows are made under one lock in the database, so that workers can't promise the same memory twice.
A wake that was turned away is told why, and asks again when something is gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from hosting import nudges, route_table
from hosting.errors import ImageMissing, InvalidValue, NeverFits
from hosting.lifecycle import evicting
from hosting.lifecycle.holdings import (
    Held,
    alone,
    amount_of,
    budgets_of,
    read_held,
    team_limit,
    waiting_models,
)
from hosting.lifecycle.placing import Amount, best
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel, Replica, Revision, TeamLimit
from hosting.models.replica import ReplicaStatus
from hosting.runtimes.base import LOCAL, Node
from hosting.states import State

# A wake that waits this long is passed by nobody, however little the others ask for.
PATIENCE = timedelta(seconds=60)
# A node that had no such image may have been given it meanwhile: it is asked again after this long.
LACKING_FOR = timedelta(seconds=30)
TOLD_AT_ONCE = 20
_LATELY = 50  # replicas
# The least and the most that a team may be limited to: below, no model of it would ever start.
LIMITS: Mapping[str, tuple[float, int]] = {
    "memory_mb": (16, 2**31 - 1),
    "cpus": (0.01, 1_000_000),
    "gpus": (0, 1_000_000),
}

_ROOM_COMES = "Quiet models are being stopped."
_NOBODY_QUIET = "It waits until a model falls asleep."


@dataclass(frozen=True, slots=True)
class Wait:
    """There is no room now, and why."""

    reason: str


def claim(model: HostedModel, revision: Revision, *, tools: Tools) -> Replica | Wait:
    """Make a replica's row, which holds what it needs; or have room made, and say why it waits.

    Finds the row that a dead worker left behind. Raises NeverFits, ImageMissing where every node
    lacked its image a moment ago, or RuntimeUnavailable.
    """
    budgets = budgets_of(_nodes_for(revision, tools=tools))
    need, limit = amount_of(revision), team_limit(model.team_id)
    _check_possible(need, budgets=budgets, limit=limit)
    now = tools.clock.now()
    at_home = _has_run_on(revision) if len(budgets) > 1 else ()
    with alone():
        held = read_held()
        node = best(need, held.free(budgets), at_home=at_home)
        lacking = need.lacking(held.room_of(model.team_id, limit=limit))
        found = _left_behind(model, revision, nodes=budgets)
        if found is not None:
            return found
        if node is not None and not lacking and not _must_yield(model, need, held=held, now=now):
            return Replica.objects.create(
                model=model,
                revision=revision,
                runtime=tools.runtime.name,
                node=node,
                created_at=now,
            )
    if lacking:
        reason = f"Its team may not hold {lacking} more."
    elif node is None:
        reason = f"No machine has {_scarce(need, held.free(budgets))} free."
    else:
        return Wait("Another model has waited for longer.")
    helped = evicting.make_room(model, need, budgets=budgets, limit=limit, now=now)
    return Wait(f"{reason} {_ROOM_COMES if helped else _NOBODY_QUIET}")


def note_waiting(model: HostedModel, reason: str) -> None:
    """Write down why an awakening model waits, where routers and pages see it; empty: no longer."""
    row = HostedModel.objects.filter(pk=model.pk, state=State.AWAKENING).exclude(wait_reason=reason)
    with transaction.atomic():
        if row.update(wait_reason=reason, generation=F("generation") + 1):
            model.refresh_from_db()
            route_table.publish_on_commit(model.pk)


def tell_waiting() -> None:
    """Something is gone: let those that wait for room ask again, the longest waiting first."""
    oldest_first = waiting_models().values_list("pk", flat=True)
    for model_id in oldest_first[:TOLD_AT_ONCE]:
        nudges.reconcile(settings.REDIS_URL, model_id=model_id)


def set_team_limit(
    team_id: int,
    *,
    memory_mb: int | None = None,
    cpus: float | None = None,
    gpus: int | None = None,
    clear: bool = False,
) -> None:
    """Change the limits that are given; `clear` first goes back to the installation's default.

    Nothing is stopped for it: the team's next wakes wait. Who waits already asks again at once.
    Raises InvalidValue.
    """
    given = {"memory_mb": memory_mb, "cpus": cpus, "gpus": gpus}
    changed = {name: value for name, value in given.items() if value is not None}
    for name, value in changed.items():
        least, most = LIMITS[name]
        if not least <= value <= most:
            raise InvalidValue(f"Use a number from {least:g} to {most:,}.", field=name)
    with transaction.atomic():
        if clear:
            TeamLimit.objects.filter(team_id=team_id).delete()
        if changed:
            TeamLimit.objects.update_or_create(team_id=team_id, defaults=changed)
        transaction.on_commit(tell_waiting)


def _nodes_for(revision: Revision, *, tools: Tools) -> list[Node]:
    """Those it may be on. Some may have no way out for models that want one."""
    nodes = tools.runtime.nodes()
    found = [each for each in nodes if each.lets_out or not revision.internet]
    if nodes and not found:
        raise NeverFits(
            "It may reach the internet, and no machine lets models out. Deploy it without, or have "
            "scripts/node_internet.sh run on the nodes."
        )
    several = any(each.name != LOCAL for each in found)  # a single engine looks for itself
    lacking = _lately_without(revision, now=tools.clock.now()) if several else ()
    having = [each for each in found if each.name not in lacking]
    if found and not having:
        raise nowhere(revision)
    return having


def nowhere(revision: Revision) -> ImageMissing:
    """What is to be said when no machine has its image."""
    return ImageMissing(
        f"No machine has the image “{revision.image}”, and none could pull it. Push it to a "
        "registry that the machines reach, or have it copied to them."
    )


def _lately_without(revision: Revision, *, now: datetime) -> set[str]:
    """The nodes that had no such image a moment ago, whoever asked them."""
    rows = Replica.objects.filter(
        revision=revision, image_missing=True, created_at__gt=now - LACKING_FOR
    )
    return set(rows.values_list("node", flat=True))


def _has_run_on(revision: Revision) -> set[str]:
    """The nodes that surely have its image, but for those it runs on: replicas are spread."""
    rows = Replica.objects.filter(revision=revision, ready_at__isnull=False).order_by("-pk")
    lately = rows.values_list("node", "status")[:_LATELY]
    here = {node for node, status in lately if status != ReplicaStatus.GONE}
    return {node for node, _ in lately} - here


def _check_possible(need: Amount, *, budgets: Mapping[str, Amount], limit: Amount) -> None:
    """Refuse what would wait for ever."""
    if budgets and not any(need.fits_in(budget) for budget in budgets.values()):
        raise NeverFits(
            f"It asks for {_scarce(need, budgets)}, more than any machine has for models. "
            "Ask for less, or add a larger machine."
        )
    lacking = need.lacking(limit)
    if lacking:
        raise NeverFits(
            f"It asks for {lacking}, more than its team may hold. Ask for less, or have the "
            "team's limit raised."
        )


def _left_behind(
    model: HostedModel, revision: Revision, *, nodes: Mapping[str, Amount]
) -> Replica | None:
    """The row of a start that a dead worker did not finish, unless its node is gone."""
    rows = model.replicas.filter(
        status=ReplicaStatus.STARTING, revision=revision, node__in=list(nodes)
    )
    return rows.select_related("model", "revision").first()


def _must_yield(model: HostedModel, need: Amount, *, held: Held, now: datetime) -> bool:
    """Whether somebody who came earlier has waited for too long to be passed.

    Who is kept waiting by the limit of its own team, or for a GPU that we don't take, is not.
    """
    came_before = min(now - PATIENCE, model.state_changed_at)
    earlier = waiting_models().filter(state_changed_at__lt=came_before).exclude(pk=model.pk)
    return any(
        amount_of(each.revision).fits_in(held.room_of(each.team_id, limit=team_limit(each.team_id)))
        for each in earlier.select_related("revision")
        if each.revision is not None and each.revision.gpus <= need.gpus
    )


def _scarce(need: Amount, rooms: Mapping[str, Amount]) -> str:
    """What the roomiest machine has too little of."""
    roomy = max(rooms.values(), key=lambda each: each.memory_mb, default=Amount())
    return need.lacking(roomy) or "all it asks for"
