"""Make the engine agree with the rows, for one model, under its lease.

Intend, commit, act: rows say what should be true, the engine is touched afterwards, and every step
can be repeated by whoever comes next.
"""

from datetime import timedelta

from hosting.lifecycle import draining, machine, replicas, starting
from hosting.lifecycle.leases import lease
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel, Replica
from hosting.models.replica import ReplicaStatus
from hosting.runtimes.base import Observed, Status
from hosting.states import Event, State

# A replica that lived this long before it was lost did not fail to start.
STEADY = timedelta(minutes=10)


def reconcile(model_id: int, *, tools: Tools) -> bool:
    """Do what is left to do for this model. False when another reconciler is at it already."""
    while True:
        with lease(model_id, clock=tools.clock) as held:
            if held is None:
                return False
            model = HostedModel.objects.select_related("revision").get(pk=model_id)
            seen = model.generation
            _stop_unwanted(model, tools=tools)
            if model.current_state == State.AWAKENING:
                starting.start(model, lease=held, tools=tools)
            elif model.current_state in (State.AWAKE, State.DRAINING):
                _check_replicas(model, tools=tools)
                if model.current_state == State.DRAINING:
                    draining.finish_if_released(model, now=tools.clock.now())
        # A nudge that came while we held the lease was turned away: look again after letting go.
        if HostedModel.objects.get(pk=model_id).generation == seen:
            return True


def _check_replicas(model: HostedModel, *, tools: Tools) -> None:
    """Notice replicas the engine has lost; the last one gone moves the model."""
    ready = list(model.replicas.filter(status=ReplicaStatus.READY))
    lost = [each for each in ready if not _is_running(tools.runtime.find(each.name))]
    for replica in lost:
        replicas.bury(replica, tools=tools)
    if len(lost) < len(ready):
        return
    now = tools.clock.now()
    reason = lost[-1].obituary if lost else "Its container is gone."
    if model.failure_count and now - model.state_changed_at < STEADY:
        machine.apply(
            model,
            Event.CRASH_LOOP,
            now=now,
            cause=reason,
            **starting.failure(model, reason=reason, now=now),
        )
    else:
        machine.apply(model, Event.REPLICA_LOST, now=now, cause=reason, failure_count=1)


def _stop_unwanted(model: HostedModel, *, tools: Tools) -> None:
    """Stop every replica that the model's state no longer asks for."""
    for replica in model.replicas.exclude(status=ReplicaStatus.GONE):
        if not _is_wanted(replica, model=model):
            replicas.stop(replica, tools=tools)


def _is_wanted(replica: Replica, *, model: HostedModel) -> bool:
    if replica.status == ReplicaStatus.STARTING:
        return model.current_state == State.AWAKENING and replica.revision_id == model.revision_id
    if replica.status == ReplicaStatus.READY:
        return model.current_state in (State.AWAKE, State.DRAINING)
    return False


def _is_running(observed: Observed | None) -> bool:
    return observed is not None and observed.status == Status.RUNNING
