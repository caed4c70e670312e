"""The replicas of an awake model: as many as its load asks for of its current revision, and those
of the revisions in use beside it.

A deploy fails no request: the new replicas are started beside the old ones, the route is switched
when they answer, and each old one is stopped when every router has finished what it sent there.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import F

from hosting import route_table
from hosting.lifecycle import capacity, draining, replicas, revisions, starting, targets
from hosting.lifecycle.leases import Lease
from hosting.lifecycle.targets import Wanted
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel, Replica, Target
from hosting.models.replica import ReplicaStatus
from hosting.states import State

RETRY_AFTER = timedelta(seconds=30)


def adjust(model: HostedModel, *, lease: Lease, tools: Tools) -> None:
    """Take the next steps towards what is wanted; starts at most one replica."""
    now = tools.clock.now()
    there = _in_service(model)
    ready = [each for each in there if each.status == ReplicaStatus.READY]
    running: dict[int, list[Replica]] = defaultdict(list)
    for replica in ready:
        running[replica.revision_id].append(replica)
    wanted = targets.wanted(model)
    for each in wanted:
        if each.takes_traffic and each.revision.admitted_at is None:
            # Those ran for its address alone. What takes traffic is examined first: a new one.
            for replica in running.pop(each.revision.pk, []):
                _withdraw(replica, model=model, tools=tools)
    lacking = [each for each in wanted if len(running[each.revision.pk]) < each.replicas]
    due = next((each for each in lacking if not _rests(model, each, now=now)), None)
    if due is not None:
        _add(model, due, serving=len(ready), lease=lease, tools=tools)
    in_use = {each.revision.pk: each.replicas for each in wanted}
    for revision_id, replicas_of_it in running.items():
        if revision_id in in_use:
            surplus = replicas_of_it[in_use[revision_id] :]
        else:  # it serves until the current one has all its replicas
            surplus = [] if any(each.target is None for each in lacking) else replicas_of_it
        for replica in surplus:
            _withdraw(replica, model=model, tools=tools)
    _stop_released(there, tools=tools)


def _in_service(model: HostedModel) -> list[Replica]:
    """What serves, or finishes what it was sent. A revision that comes along isn't read again."""
    in_service = model.replicas.filter(status__in=[ReplicaStatus.READY, ReplicaStatus.DRAINING])
    found = list(in_service.select_related("revision").order_by("pk"))
    for replica in found:
        if replica.revision_id == model.revision_id:
            model.revision = replica.revision
    return found


def _rests(model: HostedModel, wanted: Wanted, *, now: datetime) -> bool:
    retry_at = model.retry_at if wanted.target is None else wanted.target.retry_at
    return retry_at is not None and now < retry_at


def _add(model: HostedModel, wanted: Wanted, *, serving: int, lease: Lease, tools: Tools) -> None:
    """Start one replica beside those that serve; the next round sees to the rest."""
    outcome = starting.launch(
        model,
        wanted.revision,
        during=State.AWAKE,
        lease=lease,
        tools=tools,
        takes_traffic=wanted.takes_traffic,
    )
    now = tools.clock.now()
    if isinstance(outcome, starting.Ready):
        with transaction.atomic():
            starting.note_ready(outcome, now=now, takes_traffic=wanted.takes_traffic)
            if wanted.target is not None:
                Target.objects.filter(pk=wanted.target.pk).update(failure_reason="", retry_at=None)
            _change_route(model)
    elif isinstance(outcome, starting.Failed):
        if not (
            wanted.takes_traffic
            and revisions.give_way(model, wanted.revision, reason=outcome.reason, now=now)
        ):
            _try_later(model, wanted, outcome.reason, serving=serving, now=now)
    elif isinstance(outcome, capacity.Wait):
        _try_later(model, wanted, outcome.reason, serving=serving, now=now)


def _try_later(
    model: HostedModel, wanted: Wanted, reason: str, *, serving: int, now: datetime
) -> None:
    """What serves goes on serving; more is tried when the load asks for it again."""
    retry_at = now + RETRY_AFTER
    if wanted.target is None:
        HostedModel.objects.filter(pk=model.pk).update(
            desired_replicas=max(1, serving), retry_at=retry_at
        )
        return
    with transaction.atomic():
        Target.objects.filter(pk=wanted.target.pk).update(failure_reason=reason, retry_at=retry_at)
        _change_route(model)


def _withdraw(replica: Replica, *, model: HostedModel, tools: Tools) -> None:
    """Send nobody there any more."""
    with transaction.atomic():
        replica.status = ReplicaStatus.DRAINING
        replica.withdrawn_at = tools.clock.now()
        replica.withdrawn_generation = _change_route(model)
        replica.save(update_fields=["status", "withdrawn_at", "withdrawn_generation"])


def _stop_released(there: Sequence[Replica], *, tools: Tools) -> None:
    """Stop the withdrawn replicas that no live router uses, or that had time enough."""
    withdrawn = [each for each in there if each.status == ReplicaStatus.DRAINING]
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
