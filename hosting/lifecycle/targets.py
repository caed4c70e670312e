"""Which revisions of a model should run, and with how many replicas each."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import redis

from hosting.lifecycle import draining, revisions
from hosting.models import HostedModel, Revision, Target
from hosting.states import State


@dataclass(frozen=True, slots=True)
class Wanted:
    """A revision that should run; without a `target` it is the current one."""

    revision: Revision
    replicas: int
    target: Target | None = None

    @property
    def takes_traffic(self) -> bool:
        """Whether callers reach it who did not ask for it."""
        return self.target is None or self.target.share is not None


def wanted(model: HostedModel) -> list[Wanted]:
    """The current revision first, then those in use beside it."""
    count = model.wanted_replicas
    found = [] if model.revision is None else [Wanted(model.revision, count)]
    for target in model.targets.select_related("revision").order_by("pk"):
        # The share of the load, as far as the current revision's replicas tell the whole.
        replicas = max(1, math.ceil(count * (target.share or 0) / 100))
        found.append(Wanted(target.revision, replicas, target))
    return found


def is_wanted(model: HostedModel, revision_id: int) -> bool:
    """Whether this revision is the current one, or in use beside it."""
    return (
        revision_id == model.revision_id or model.targets.filter(revision_id=revision_id).exists()
    )


def let_quiet_ones_go(*, now: datetime) -> int:
    """Stop what ran for a pinned address that has been quiet for its model's idle timeout."""
    pinned = [
        target
        for target in Target.objects.filter(share=None).select_related("model", "revision")
        if now - target.asked_at >= timedelta(seconds=target.model.idle_timeout_seconds)
    ]
    if not pinned:
        return 0
    try:
        reports = draining.read_reports(now=now)
    except redis.RedisError:
        return 0
    return sum(_let_go_if_quiet(target, reports=reports) for target in pinned)


def _let_go_if_quiet(target: Target, *, reports: draining.Reports) -> bool:
    model, number = target.model, target.revision.number
    if model.current_state in (State.AWAKENING, State.AWAKE, State.DRAINING) and not all(
        report.beside.get(number, math.inf) >= model.idle_timeout_seconds
        for report in reports.of(model.pk)
    ):
        return False
    return revisions.let_go(target)
