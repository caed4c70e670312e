"""Drowsy: the replica is paused, keeps its memory and is back in milliseconds; later it is stopped.

A paused container takes connections and never answers, so no route may name it: the state is
written first and the container paused after, the container resumed first and the state written
after.
"""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from hosting.lifecycle import machine, replicas, targets, wakes
from hosting.lifecycle.leases import Lease
from hosting.lifecycle.machine import Move
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel, Replica
from hosting.models.replica import ReplicaStatus
from hosting.runtimes.base import Status
from hosting.states import Event, State
from hosting.wire import Asker

# What the engine has been asked to resume, by the replica's id: whether it runs.
Resuming = Mapping[int, Future[bool]]

_NOTHING: Resuming = {}
# A replica that runs within this time saves its wake a commit and a route. An engine takes a fifth
# of it; of a wake that takes longer, routers and people hear that it is under way.
_AT_ONCE_SECONDS = 0.1
# Each waits for the engine and for nothing else. More than this at once, and some wait their turn.
_RESUMERS = ThreadPoolExecutor(16, thread_name_prefix="resume")


def pause(model: HostedModel, ready: list[Replica], *, lease: Lease, tools: Tools) -> None:
    """Pause what a drowsy model runs. A model whose replica has ended is asleep."""
    kept = 0
    for replica in ready:
        observed = tools.runtime.find(replica.name)
        if observed is None or observed.status == Status.EXITED:
            replicas.bury(replica, tools=tools)
            continue
        kept += 1
        # A holder that slept through its lease must not pause what another has resumed since.
        if not observed.paused and lease.renew():
            tools.runtime.pause(replica.name)
    if not kept:
        reason = "Its container ended while it was drowsy."
        machine.apply(model, Event.REPLICA_LOST, now=tools.clock.now(), cause=reason)


def begin_to_resume(model: HostedModel, present: list[Replica], *, tools: Tools) -> Resuming:
    """Resume what a drowsy model has before its wake is written down.

    The one act that does not wait for its intention to be committed; callers hold the lease. Should
    the commit never come, a replica runs that no route names, and the sweep has it paused again.
    """
    if model.current_state != State.DROWSY or not model.active:
        return {}
    return {
        replica.pk: _RESUMERS.submit(tools.runtime.resume, replica.name)
        for replica in present
        if replica.status == ReplicaStatus.READY and targets.is_wanted(model, replica.revision_id)
    }


def awake_at_once(
    lease: Lease,
    present: list[Replica],
    *,
    begun: Resuming,
    asked: Move,
    asker: Asker,
    tools: Tools,
) -> bool:
    """Lead a drowsy model to awake in one commit, if all that is left of it runs within a moment.

    False, and nothing is written, when the wake needs more than that or the row has changed since
    it was read: what was resumed may then not be what is wanted.
    """
    model = lease.model
    serving = [each for each in present if _serves(each, model=model)]
    if not serving or len(begun) < len(present) or not _all_run(begun):
        return False
    # A holder that slept through its lease: another may have paused it again.
    return lease.renew() and machine.apply_as_read(
        model,
        [asked, Move(Event.READY, tools.clock.now())],
        replica=serving[0],
        ready=present,
        asked_by=wakes.asked_by(asker, cause=asked.cause, now=asked.at),
        nudge=False,
        failure_reason="",
        retry_at=None,
    )


def _serves(replica: Replica, *, model: HostedModel) -> bool:
    """Whether it takes the model's traffic without being examined first."""
    return replica.revision_id == model.revision_id and replica.revision.admitted_at is not None


def _all_run(begun: Resuming) -> bool:
    done, late = wait(begun.values(), timeout=_AT_ONCE_SECONDS)
    return not late and all(each.exception() is None and each.result() for each in done)


def resume(
    model: HostedModel,
    ready: list[Replica],
    *,
    lease: Lease,
    tools: Tools,
    begun: Resuming = _NOTHING,
) -> bool:
    """Lead an awakening model to awake by what it still has; False when that is nothing."""
    resumed = []
    for replica in ready:
        under_way = begun.get(replica.pk)
        if under_way.result() if under_way else tools.runtime.resume(replica.name):
            resumed.append(replica)
        else:
            replicas.bury(replica, tools=tools)
    resumed.sort(key=lambda each: each.revision_id != model.revision_id)
    if resumed and lease.renew():
        machine.apply(
            model,
            Event.READY,
            now=tools.clock.now(),
            replica=resumed[0],
            failure_reason="",
            retry_at=None,
        )
    return bool(resumed)


def deepen(*, now: datetime) -> int:
    """Stop every model that has been drowsy for long enough; returns how many."""
    drowsy = HostedModel.objects.filter(state=State.DROWSY)
    return sum(
        machine.apply(
            model,
            Event.DEEP_SLEEP,
            now=now,
            cause=f"drowsy for {model.deep_sleep_after_seconds} s",
        )
        for model in drowsy
        if now - model.state_changed_at >= timedelta(seconds=model.deep_sleep_after_seconds)
    )
