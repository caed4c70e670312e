"""A model's own calls against other idle timeouts: what the sleep simulator shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hosting.metering.simulator import Call, Comeback, Outcome, replay
from hosting.models import HostedModel, UsageMinute, UsageRecord, Wake
from hosting.models.wake import WakeOutcome

TIMEOUTS = (60, 300, 900, 3600)  # seconds
LONGEST = timedelta(days=30)
# Up to so many calls are replayed one by one; of more, whole minutes.
MOST_CALLS = 20_000
_UNKNOWN_COLD_SECONDS, _UNKNOWN_RESUME_SECONDS = 2.0, 0.05
_RESUMES_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Simulation:
    """One outcome per timeout, the shortest first and never sleeping last."""

    since: datetime
    until: datetime
    calls: int
    by_minute: bool  # it was replayed from minutes: times may be a minute off
    comeback: Comeback
    measured: bool  # its wakes were measured; else the times are assumed
    outcomes: Sequence[Outcome]
    chosen: Outcome  # the timeout it has now


def simulate(model: HostedModel, *, now: datetime, days: int = 30) -> Simulation:
    """Replay what the ledger knows of the last days; of a younger model, since it was made."""
    since = max(model.created_at, now - min(timedelta(days=days), LONGEST))
    calls, by_minute = _calls(model.pk, since=since, until=now)
    comeback, measured = _comeback(model)
    own = None if model.min_replicas else model.idle_timeout_seconds
    tried = sorted({*TIMEOUTS, model.idle_timeout_seconds})
    outcomes = {
        timeout: replay(
            calls,
            idle_timeout_seconds=timeout,
            comeback=comeback,
            since=since.timestamp(),
            until=now.timestamp(),
        )
        for timeout in (*tried, None)
    }
    return Simulation(
        since=since,
        until=now,
        calls=sum(call.callers for call in calls),
        by_minute=by_minute,
        comeback=comeback,
        measured=measured,
        outcomes=list(outcomes.values()),
        chosen=outcomes[own],
    )


def _calls(model_id: int, *, since: datetime, until: datetime) -> tuple[list[Call], bool]:
    """What keeps a model awake: requests that went to it, not a look at its status."""
    rows = UsageRecord.objects.filter(
        model_id=model_id, arrived_at__gte=since, arrived_at__lt=until, model_ms__gt=0
    ).values_list("arrived_at", "model_ms")
    found = list(rows[: MOST_CALLS + 1])
    if len(found) <= MOST_CALLS:
        return [
            Call(at.timestamp(), at.timestamp() + model_ms / 1000) for at, model_ms in found
        ], False
    minutes = UsageMinute.objects.filter(
        model_id=model_id, minute__gte=since, minute__lt=until, requests__gt=0
    ).values_list("minute", "requests", "model_ms")
    return [
        Call(at.timestamp(), at.timestamp() + 60 + model_ms / requests / 1000, requests)
        for at, requests, model_ms in minutes
    ], True


def _comeback(model: HostedModel) -> tuple[Comeback, bool]:
    """How long waking takes: as learned, else assumed."""
    resumed = Wake.objects.filter(model=model, resumed=True, outcome=WakeOutcome.AWAKE)
    seconds = sorted(wake.seconds for wake in resumed[:_RESUMES_LOOKED_AT])
    revision = model.revision
    cold = revision.wake_seconds if revision else None
    comeback = Comeback(
        cold_seconds=_UNKNOWN_COLD_SECONDS if cold is None else cold,
        resume_seconds=seconds[len(seconds) // 2] if seconds else _UNKNOWN_RESUME_SECONDS,
        paused_for_seconds=model.deep_sleep_after_seconds,
    )
    return comeback, cold is not None
