"""Drowsy: the replica is paused, keeps its memory and is back in milliseconds; later it is stopped.

A paused container takes connections and never answers, so no route may name it: the state is
written first and the container paused after, the container resumed first and the state written
after.
"""

from datetime import datetime, timedelta

from hosting.lifecycle import machine, replicas
from hosting.lifecycle.leases import Lease
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel, Replica
from hosting.runtimes.base import Status
from hosting.states import Event, State


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


def resume(model: HostedModel, ready: list[Replica], *, tools: Tools) -> bool:
    """Lead an awakening model to awake by what it still has; False when that is nothing."""
    resumed = []
    for replica in ready:
        if tools.runtime.resume(replica.name):
            resumed.append(replica)
        else:
            replicas.bury(replica, tools=tools)
    if resumed:
        resumed.sort(key=lambda each: each.revision_id != model.revision_id)
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
