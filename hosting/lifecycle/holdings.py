"""What the machines and the teams have for models, and what is held of it.

A replica's row holds its node's memory, CPUs and GPUs from before it is started until it is gone,
paused or not: a paused replica wants its CPU back at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet, Sum

from accounts.models import Team
from hosting.lifecycle.placing import UNLIMITED, Amount
from hosting.models import HostedModel, Replica, Revision, TeamLimit
from hosting.models.replica import ReplicaStatus
from hosting.runtimes.base import Node
from hosting.states import State

_LOCK = 0x524F4F4D
# Whoever is in one of these states and has a replica is about to let go of it.
_LEAVING = (State.ASLEEP, State.FAILED, State.DRAINING)


@dataclass(frozen=True, slots=True)
class Held:
    """What the replicas that are not gone hold, as one reading of their rows."""

    by_node: Mapping[str, Amount]
    by_team: Mapping[int, Amount]
    leaving: Mapping[str, Amount]  # by node, part of what is held
    leaving_by_team: Mapping[int, Amount]

    def free(self, budgets: Mapping[str, Amount]) -> dict[str, Amount]:
        """What is left of each node."""
        return {name: each - self.by_node.get(name, Amount()) for name, each in budgets.items()}

    def room_of(self, team_id: int, *, limit: Amount) -> Amount:
        """What is left of a team's limit."""
        return limit - self.by_team.get(team_id, Amount())


@contextmanager
def alone() -> Iterator[None]:
    """One transaction that no other of its kind runs beside; no call to the engine belongs in it.

    What is decided from `read_held` is true until the end of the block.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def amount_of(revision: Revision) -> Amount:
    """What one replica of the revision holds."""
    return Amount(revision.memory_mb, revision.cpus, revision.gpus)


def budgets_of(nodes: Sequence[Node]) -> dict[str, Amount]:
    """What models may hold of each node."""
    return {
        node.name: Amount(
            settings.NODE_MEMORY_MB or int(node.memory_mb * settings.NODE_MEMORY_SHARE),
            node.cpus * settings.NODE_CPU_SHARE,
            node.gpus if settings.NODE_GPUS is None else settings.NODE_GPUS,
        )
        for node in nodes
    }


def team_limit(team_id: int) -> Amount:
    """What a team may hold at the same time."""
    return _limit_with(TeamLimit.objects.filter(team_id=team_id).first())


@dataclass(frozen=True, slots=True)
class TeamRoom:
    """A team, what is set for it alone, what it may hold by that, and what it holds."""

    id: int
    name: str
    own: TeamLimit
    limit: Amount
    held: Amount


def rooms_of(teams: Sequence[Team]) -> list[TeamRoom]:
    """What each may hold and holds; `accounts.queries.teams` brings their limits along."""
    held = read_held().by_team if teams else {}
    own = {each.pk: getattr(each, "limit", None) for each in teams}
    return [
        TeamRoom(
            each.pk,
            each.name,
            own=own[each.pk] or TeamLimit(),
            limit=_limit_with(own[each.pk]),
            held=held.get(each.pk, Amount()),
        )
        for each in teams
    ]


def _limit_with(own: TeamLimit | None) -> Amount:
    row = own or TeamLimit()

    def first(*limits: float | None) -> float:
        return next(each for each in limits if each is not None)

    return Amount(
        first(row.memory_mb, settings.TEAM_MEMORY_MB, UNLIMITED.memory_mb),
        first(row.cpus, settings.TEAM_CPUS, UNLIMITED.cpus),
        first(row.gpus, settings.TEAM_GPUS, UNLIMITED.gpus),
    )


def read_held() -> Held:
    """Add up what is held, by node and by team, in one query."""
    by_node: dict[str, Amount] = {}
    by_team: dict[int, Amount] = {}
    leaving: dict[str, Amount] = {}
    leaving_by_team: dict[int, Amount] = {}
    rows = (
        Replica.objects.exclude(status=ReplicaStatus.GONE)
        .values_list("node", "model__team_id", "model__state", "status")
        .annotate(
            memory=Sum("revision__memory_mb"), cpu=Sum("revision__cpus"), gpu=Sum("revision__gpus")
        )
        .order_by()
    )
    for node, team_id, state, status, memory, cpus, gpus in rows:
        amount = Amount(memory, cpus, gpus)
        by_node[node] = by_node.get(node, Amount()) + amount
        by_team[team_id] = by_team.get(team_id, Amount()) + amount
        going = status in (ReplicaStatus.STOPPING, ReplicaStatus.DRAINING)
        if going or state in _LEAVING:
            leaving[node] = leaving.get(node, Amount()) + amount
            leaving_by_team[team_id] = leaving_by_team.get(team_id, Amount()) + amount
    return Held(by_node, by_team, leaving, leaving_by_team)


def waiting_models() -> QuerySet[HostedModel]:
    """The models that can't be started for want of room, the longest waiting first."""
    waiting = HostedModel.objects.filter(state=State.AWAKENING).exclude(wait_reason="")
    return waiting.order_by("state_changed_at")
