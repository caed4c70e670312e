"""The replicas of an awake model: as many as its load asks for, all of its current revision.

A deploy fails no request: the new replicas are started beside the old ones, the route is switched
when they answer, and each old one is stopped when every router has finished what it sent there.
"""

from datetime import datetime, timedelta

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import F

from hosting import route_table
from hosting.lifecycle import capacity, draining, replicas, revisions, starting
from hosting.lifecycle.leases import Lease
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel, Replica
from hosting.models.replica import ReplicaStatus
from hosting.states import State

RETRY_AFTER = timedelta(seconds=30)


def adjust(model: HostedModel, *, lease: Lease, tools: Tools) -> None:
    """Take the next steps towards what is wanted; starts at most one replica."""
    ready = _with_status(model, ReplicaStatus.READY)
    current = [each for each in ready if each.revision_id == model.revision_id]
    older = [each for each in ready if each.revision_id != model.revision_id]
    wanted = min(max(model.desired_replicas, model.min_replicas, 1), model.max_replicas)
    resting = model.retry_at is not None and tools.clock.now() < model.retry_at
    if len(current) < wanted and not resting:
        _add(model, serving=len(ready), older=older, lease=lease, tools=tools)
    elif len(current) >= wanted:
        for replica in (*older, *current[wanted:]):
            _withdraw(replica, model=model, tools=tools)
    _stop_released(model, tools=tools)


def _add(
    model: HostedModel, *, serving: int, older: list[Replica], lease: Lease, tools: Tools
) -> None:
    """Start one replica beside those that serve; the next round sees to the rest."""
    outcome = starting.launch(model, during=State.AWAKE, lease=lease, tools=tools)
    now = tools.clock.now()
    if isinstance(outcome, starting.Ready):
        with transaction.atomic():
            starting.note_ready(outcome, now=now)
            _change_route(model)
    elif isinstance(outcome, starting.Failed):
        if older and revisions.give_way(model, reason=outcome.reason, now=now):
            return
        _try_later(model, serving=serving, now=now)
    elif isinstance(outcome, capacity.Wait):
        _try_later(model, serving=serving, now=now)


def _try_later(model: HostedModel, *, serving: int, now: datetime) -> None:
    """What serves goes on serving; more is tried when the load asks for it again."""
    HostedModel.objects.filter(pk=model.pk).update(
        desired_replicas=max(1, serving), retry_at=now + RETRY_AFTER
    )


def _withdraw(replica: Replica, *, model: HostedModel, tools: Tools) -> None:
    """Send nobody there any more."""
    with transaction.atomic():
        generation = _change_route(model)
        Replica.objects.filter(pk=replica.pk).update(
            status=ReplicaStatus.DRAINING,
            withdrawn_at=tools.clock.now(),
            withdrawn_generation=generation,
        )


def _stop_released(model: HostedModel, *, tools: Tools) -> None:
    """Stop the withdrawn replicas that no live router uses, or that had time enough."""
    withdrawn = _with_status(model, ReplicaStatus.DRAINING)
    if not withdrawn:
        return
    try:
        reports = draining.read_reports(now=tools.clock.now())
    except redis.RedisError:
        return
    for replica in withdrawn:
        if _is_released(replica, reports=reports) or _had_time(replica, tools=tools):
            replicas.stop(replica, tools=tools)


def _is_released(replica: Replica, *, reports: draining.Reports) -> bool:
    since = replica.withdrawn_generation or 0
    released = sum(
        report.generation >= since and replica.pk not in report.replicas_in_use
        for report in reports.of(replica.model_id)
    )
    return released >= reports.routers


def _had_time(replica: Replica, *, tools: Tools) -> bool:
    timeout = timedelta(seconds=settings.DRAIN_TIMEOUT_SECONDS)
    return replica.withdrawn_at is None or tools.clock.now() - replica.withdrawn_at >= timeout


def _change_route(model: HostedModel) -> int:
    """Raise the generation so that routers hear of it; returns the new one."""
    HostedModel.objects.filter(pk=model.pk).update(generation=F("generation") + 1)
    model.refresh_from_db(fields=["generation"])
    route_table.publish_on_commit(model.pk)
    return model.generation


def _with_status(model: HostedModel, status: ReplicaStatus) -> list[Replica]:
    return list(model.replicas.filter(status=status).select_related("revision").order_by("pk"))
