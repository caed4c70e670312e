"""What is kept of each wake: who asked, when each step was done, how it ended, and what to expect
of the next one."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Any

from hosting import route_table, wire
from hosting.models import HostedModel, Replica, Revision, Wake
from hosting.models.wake import WakeOutcome
from hosting.states import State

LEARNED_FROM = 20  # the last so many wakes of a revision tell how long the next one takes

_OUTCOMES = {State.AWAKE: WakeOutcome.AWAKE, State.FAILED: WakeOutcome.FAILED}


def asked_by(asker: wire.Asker | None, *, cause: str, now: datetime) -> dict[str, Any]:
    """What the move to awakening writes beside the state, for `record` to find: it survives the
    worker and costs the wake no statement of its own."""
    return {"cause": cause, **asdict(asker or wire.Asker(asked_at=now.timestamp()))}


def under_way(model: HostedModel, *, replica: Replica | None, now: datetime) -> Wake:
    """The wake of an awakening model as far as it is, unsaved, as if it were called off now.

    `replica` as the waking worker holds it: one it started has no `ready_at` yet, one it resumed
    has.
    """
    said = model.asked_by or {}
    asker = wire.Asker.of(said)
    taken_at = model.state_changed_at
    asked_at = datetime.fromtimestamp(asker.asked_at, UTC) if asker.asked_at else taken_at
    resumed = replica is not None and replica.ready_at is not None
    started = None if resumed else replica
    wake = Wake(
        model=model,
        revision_id=replica.revision_id if replica else model.revision_id,
        replica=replica,
        resumed=resumed,
        cause=str(said.get("cause", ""))[:200],
        token_id=asker.token_id or None,
        route=asker.route[:10],
        method=asker.method[:10],
        address=asker.address[:45],
        asked_at=asked_at,
        taken_at=taken_at,
        prepared_at=started.created_at if started else None,
        started_at=started.started_at if started else None,
        listening_at=started.listening_at if started else None,
        ended_at=now,
        outcome=WakeOutcome.GIVEN_UP,
    )
    # A router's clock may be ahead of ours, and ours may have been set back meanwhile.
    latest = now
    for name, at in reversed(wake.moments):
        latest = min(latest, at)
        setattr(wake, f"{name}_at", latest)
    return wake


def record(
    model: HostedModel, *, target: State, replica: Replica | None, reason: str, now: datetime
) -> None:
    """Write the wake that ends with this move; the machine calls it within the transaction.

    `model` is as it was while awakening.
    """
    wake = under_way(model, replica=replica, now=now)
    wake.outcome = _OUTCOMES.get(target, WakeOutcome.GIVEN_UP)
    wake.reason = reason if wake.outcome == WakeOutcome.FAILED else ""
    wake.save(force_insert=True)


def learn(revision: Revision) -> bool:
    """Work out how long a wake of this revision usually takes; True when that has changed.

    Called after the model is awake and its route is out: nobody waits for it.
    """
    last = Wake.objects.filter(revision=revision, outcome=WakeOutcome.AWAKE, resumed=False)
    usual, slow = typical([cold_seconds(each) for each in last[:LEARNED_FROM]])
    if (usual, slow) == (revision.wake_seconds, revision.slow_wake_seconds):
        return False
    revision.wake_seconds, revision.slow_wake_seconds = usual, slow
    revision.save(update_fields=["wake_seconds", "slow_wake_seconds"])
    return True


def learn_and_publish(model: HostedModel, revision: Revision) -> None:
    """Learn, and let the route carry it; routers read it with the model's next move."""
    if learn(revision):
        route_table.publish(model.pk)


def typical(seconds: Sequence[float]) -> tuple[float | None, float | None]:
    """The median and what nine in ten stay below, in seconds, to the hundredth."""
    if not seconds:
        return None, None
    if len(seconds) == 1:
        return round(seconds[0], 2), round(seconds[0], 2)
    slow = quantiles(seconds, n=10, method="inclusive")[-1]
    return round(median(seconds), 2), round(slow, 2)


def cold_seconds(wake: Wake) -> float:
    """How long a wake took, what it waited for its image or for room left out."""
    waited = (wake.prepared_at - wake.taken_at).total_seconds() if wake.prepared_at else 0.0
    return wake.seconds - waited
