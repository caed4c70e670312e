"""The end of a replica: stopped because nobody wants it, or buried because it died by itself."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F

from hosting import route_table
from hosting.lifecycle import capacity
from hosting.lifecycle.tools import Tools
from hosting.logs import keeping, reading
from hosting.models import HostedModel, Replica
from hosting.models.replica import ReplicaStatus
from hosting.runtimes.base import Status

KEPT_LOG_LINES = 50


def stop(replica: Replica, *, tools: Tools) -> None:
    """Stop and remove one replica, its log kept; the row says so before and after."""
    Replica.objects.filter(pk=replica.pk).update(status=ReplicaStatus.STOPPING)
    tools.runtime.end(replica.name)
    keeping.collect(replica, runtime=tools.runtime)
    tools.runtime.stop(replica.name, grace_seconds=0)
    Replica.objects.filter(pk=replica.pk).update(
        status=ReplicaStatus.GONE, stopped_at=tools.clock.now()
    )
    capacity.tell_waiting()


def bury(replica: Replica, *, tools: Tools) -> None:
    """Record how a replica ended by itself, then remove what is left of it."""
    observed = tools.runtime.find(replica.name)
    replica.exit_code = observed.exit_code if observed else None
    replica.out_of_memory = bool(observed and observed.out_of_memory)
    replica.node_lost = bool(observed and observed.lost)
    keeping.collect(replica, runtime=tools.runtime)
    replica.last_log_lines = reading.last_words(replica, count=KEPT_LOG_LINES)
    replica.status = ReplicaStatus.GONE
    replica.stopped_at = tools.clock.now()
    with transaction.atomic():
        replica.save(
            update_fields=[
                "exit_code",
                "out_of_memory",
                "node_lost",
                "last_log_lines",
                "status",
                "stopped_at",
            ]
        )
        # Routers must stop using the address even when the model's state stays as it is.
        HostedModel.objects.filter(pk=replica.model_id).update(generation=F("generation") + 1)
        route_table.publish_on_commit(replica.model_id)
    tools.runtime.stop(replica.name, grace_seconds=0)
    capacity.tell_waiting()


def bury_lost(there: Iterable[Replica], *, tools: Tools) -> list[Replica]:
    """Bury those that have ended, and return them; what was paused behind our back is resumed."""
    lost = [each for each in there if not _goes_on(each, tools=tools)]
    for replica in lost:
        bury(replica, tools=tools)
    return lost


def _goes_on(replica: Replica, *, tools: Tools) -> bool:
    observed = tools.runtime.find(replica.name)
    if observed is None or observed.status != Status.RUNNING:
        return False
    return tools.runtime.resume(replica.name) if observed.paused else True
