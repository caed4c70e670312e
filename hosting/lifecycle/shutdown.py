"""The end of an installation's day: everything asleep, nothing of ours left in the engine."""

from datetime import datetime

from hosting.lifecycle import machine, replicas
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel, Replica
from hosting.models.replica import ReplicaStatus
from hosting.states import Event, State


def stop_all(*, tools: Tools, now: datetime) -> int:
    """Put every model to sleep and stop every replica; returns how many were stopped.

    For the time when no worker and no router runs: no lease is taken, no router is asked.
    """
    for model in HostedModel.objects.exclude(state__in=[State.ASLEEP, State.FAILED]):
        machine.apply(model, Event.SLEEP, now=now, cause="shutdown")
        machine.apply(model, Event.DRAINED, now=now, cause="shutdown")
    left = Replica.objects.exclude(status=ReplicaStatus.GONE)
    names = {replica.name for replica in left}
    for replica in left:
        replicas.stop(replica, tools=tools)
    for observed in tools.runtime.replicas():
        if observed.name not in names:
            tools.runtime.stop(observed.name)
    tools.runtime.hold([])
    return len(names)
