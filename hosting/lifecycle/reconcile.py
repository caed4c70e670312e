"""Make the engine agree with the rows, for one model, under its lease.

Intend, commit, act: rows say what should be true, the engine is touched afterwards, and every step
can be repeated by whoever comes next.
"""

from datetime import timedelta

from hosting.lifecycle import (
    dozing,
    draining,
    fleet,
    machine,
    operations,
    replicas,
    starting,
    targets,
)
from hosting.lifecycle.leases import Lease, lease
from hosting.lifecycle.machine import Move
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel, Replica
from hosting.models.replica import ReplicaStatus
from hosting.states import Event, State
from hosting.wire import Asker

# A replica that lived this long before it was lost did not fail to start.
STEADY = timedelta(minutes=10)


def reconcile(model_id: int, *, tools: Tools) -> bool:
    """Do what is left to do for this model. False when another reconciler is at it already."""
    while True:
        with lease(model_id, clock=tools.clock) as held:
            if held is None:
                return False
            seen = held.model.generation
            _act(held, _present(held.model), tools=tools)
        # A nudge that came while we held the lease was turned away: look again after letting go.
        if _generation(model_id) == seen:
            return True


def wake(model_id: int, *, asker: Asker, tools: Tools, revision: int = 0) -> None:
    """Lead a model that a request met asleep to awake, unless it is too early to try again.

    The request may have asked for one `revision`, by its number. Safe to repeat. Raises
    HostedModel.DoesNotExist, ModelInactive or WakeBackoff.
    """
    now = tools.clock.now()
    with lease(model_id, clock=tools.clock) as held:
        # Somebody else's lease: they look again after letting go, and so do we below.
        model = held.model if held else HostedModel.objects.get(pk=model_id)
        seen = model.generation
        present = _present(model) if held else []
        begun = dozing.begin_to_resume(model, present, tools=tools)
        asked = Move(Event.REQUEST, now, cause="request")
        if held and dozing.awake_at_once(
            held, present, begun=begun, asked=asked, asker=asker, tools=tools
        ):
            seen = model.generation
        else:
            operations.wake_as_read(
                model, cause=asked.cause, now=now, asker=asker, respect_backoff=True, nudge=False
            )
        if revision:
            operations.reach(model, number=revision, now=now)
        if held:
            _act(held, present, begun=begun, tools=tools)
    if held is None or _generation(model_id) != seen:
        reconcile(model_id, tools=tools)


def _generation(model_id: int) -> int:
    return HostedModel.objects.values_list("generation", flat=True).get(pk=model_id)


def _present(model: HostedModel) -> list[Replica]:
    """The replicas there are; only who holds the lease writes them."""
    left = model.replicas.exclude(status=ReplicaStatus.GONE)
    return list(left.select_related("revision"))


def _act(
    lease: Lease, present: list[Replica], *, tools: Tools, begun: dozing.Resuming | None = None
) -> None:
    model = lease.model
    kept = _stop_unwanted(model, present, tools=tools)
    ready = [each for each in kept if each.status == ReplicaStatus.READY]
    state = model.current_state
    if state == State.AWAKENING:
        if not dozing.resume(model, ready, begun=begun or {}, lease=lease, tools=tools):
            starting.start(model, lease=lease, tools=tools)
    elif state in (State.AWAKE, State.DRAINING):
        _check_replicas(model, kept, tools=tools)
        if model.current_state == State.AWAKE:
            fleet.adjust(model, lease=lease, tools=tools)
        elif model.current_state == State.DRAINING:
            now = tools.clock.now()
            draining.finish_if_released(model, now=now, pauses=tools.runtime.pauses)
    elif state == State.DROWSY:
        dozing.pause(model, ready, lease=lease, tools=tools)


def _check_replicas(model: HostedModel, kept: list[Replica], *, tools: Tools) -> None:
    """Notice replicas the engine has lost; the last one that serves gone moves the model."""
    ready = [each for each in kept if each.status == ReplicaStatus.READY]
    withdrawn = [each for each in kept if each.status == ReplicaStatus.DRAINING]
    replicas.bury_lost(withdrawn, tools=tools)  # requests may be inside
    lost = replicas.bury_lost(ready, tools=tools)
    if len(lost) < len(ready):
        return
    now = tools.clock.now()
    reason = lost[-1].obituary if lost else "Its container is gone."
    node_lost = bool(lost) and lost[-1].node_lost
    if node_lost:
        machine.apply(model, Event.REPLICA_LOST, now=now, cause=reason)
    elif model.failure_count and now - model.state_changed_at < STEADY:
        machine.apply(
            model,
            Event.CRASH_LOOP,
            now=now,
            cause=reason,
            **starting.failure(model, reason=reason, now=now),
        )
    else:
        machine.apply(model, Event.REPLICA_LOST, now=now, cause=reason, failure_count=1)


def _stop_unwanted(model: HostedModel, present: list[Replica], *, tools: Tools) -> list[Replica]:
    """Stop every replica that the model's state no longer asks for; returns the others."""
    kept = []
    for replica in present:
        if _is_wanted(replica, model=model, tools=tools):
            kept.append(replica)
        else:
            replicas.stop(replica, tools=tools)
    return kept


def _is_wanted(replica: Replica, *, model: HostedModel, tools: Tools) -> bool:
    if replica.status == ReplicaStatus.STARTING:  # a dead worker left it; its node may be gone, too
        starting = model.current_state in (State.AWAKENING, State.AWAKE)
        there = any(node.name == replica.node for node in tools.runtime.nodes())
        return starting and there and targets.is_wanted(model, replica.revision_id)
    if replica.status == ReplicaStatus.DRAINING:
        return model.current_state in (State.AWAKE, State.DRAINING)
    if replica.status == ReplicaStatus.READY:
        if model.current_state == State.AWAKENING:  # paused, or not stopped yet: it can go on
            if replica.revision_id == model.revision_id:
                return replica.revision.admitted_at is not None  # else a new one is examined
            return targets.is_wanted(model, replica.revision_id)
        return model.current_state in (State.AWAKE, State.DRAINING, State.DROWSY)
    return False
