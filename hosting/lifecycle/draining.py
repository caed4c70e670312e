"""Who is quiet, and when everyone has let go.

Routers serve from memory, so a model may only be stopped when every live router has said that it
no longer uses it. Without Redis nobody can say so, and nobody is put to sleep.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import redis
from django.conf import settings
from django.db.models import Max

from hosting import route_table, wire
from hosting.lifecycle import machine, warmth
from hosting.lifecycle.clock import CLOCKS_APART
from hosting.models import HostedModel, UsageRecord
from hosting.states import Event, State


@dataclass(frozen=True, slots=True)
class Reports:
    """What all live routers say, by model id; `routers` counts them.

    `said_at`: none of them has been silent since (unix seconds).
    """

    routers: int
    by_model: dict[int, list[wire.Report]]
    said_at: float

    def of(self, model_id: int) -> list[wire.Report]:
        """What the routers say of one model."""
        return self.by_model.get(model_id, [])


def read_reports(*, now: datetime) -> Reports:
    """Read every live router's reports. Raises redis.RedisError when Redis is away."""
    connection = route_table.connection()
    oldest = now.timestamp() - wire.ROUTER_LEASE_SECONDS
    connection.zremrangebyscore(wire.ROUTERS_KEY, "-inf", oldest - 60)
    live = connection.zrangebyscore(wire.ROUTERS_KEY, oldest, "+inf", withscores=True)
    said_at = dict(cast("list[tuple[str, float]]", live))
    by_model: dict[int, list[wire.Report]] = {}
    for router_id in said_at:
        for name, text in connection.hgetall(wire.reports_key(router_id)).items():
            if name != "at":
                by_model.setdefault(int(name), []).append(wire.Report.from_json(text))
    return Reports(
        routers=len(said_at),
        by_model=by_model,
        said_at=min(said_at.values(), default=float("inf")),
    )


def start_draining_idle(*, now: datetime) -> int:
    """Begin to drain every awake model that has been quiet for its idle timeout."""
    quiet_long = [
        model
        for model in HostedModel.objects.filter(state=State.AWAKE, min_replicas=0).select_related(
            "revision"
        )
        if now - model.state_changed_at >= timedelta(seconds=model.idle_timeout_seconds)
        and warmth.since(model, now=now) is None
    ]
    if not quiet_long:
        return 0
    try:
        reports = read_reports(now=now)
    except redis.RedisError:
        return 0
    last_usage = _last_usage(quiet_long, now=now)
    return sum(
        machine.apply(
            model,
            Event.IDLE,
            now=now,
            cause=f"quiet for {model.idle_timeout_seconds} s",
        )
        for model in quiet_long
        if is_idle(
            reports.of(model.pk),
            since_last_usage=now - last_usage[model.pk],
            idle_timeout=timedelta(seconds=model.idle_timeout_seconds),
        )
    )


def is_idle(
    reports: Iterable[wire.Report], *, since_last_usage: timedelta, idle_timeout: timedelta
) -> bool:
    """Whether a model is quiet everywhere: no router has it in flight or used it lately.

    The ledger speaks for routers that have forgotten, being new.
    """
    return since_last_usage >= idle_timeout and all(
        not report.in_flight and report.idle_seconds >= idle_timeout.total_seconds()
        for report in reports
    )


def finish_if_released(model: HostedModel, *, now: datetime, pauses: bool) -> bool:
    """Put a draining model to rest once every live router has let go of it.

    It dozes if it drains for being idle and its runtime `pauses`, else it sleeps. Requests longer
    than the drain timeout are not waited for; they end with their replica.
    """
    event = Event.DOZE if pauses and may_doze(model) else Event.DRAINED
    drain_ends = model.state_changed_at + timedelta(seconds=settings.DRAIN_TIMEOUT_SECONDS)
    if now < drain_ends:
        try:
            reports = read_reports(now=now)
        except redis.RedisError:
            return False
        if not is_released(model, reports=reports):
            return False
    else:
        event = Event.DRAINED  # somebody's request would freeze with the replica
    return machine.apply(model, event, now=now, failure_count=0, desired_replicas=1)


def may_doze(model: HostedModel) -> bool:
    """Whether a draining model drains for being idle, and its memory may be kept."""
    move = model.transitions.filter(to_state=State.DRAINING).first()
    return move is not None and move.event == Event.IDLE and model.deep_sleep_after_seconds > 0


def is_released(model: HostedModel, *, reports: Reports) -> bool:
    """Whether every live router has acknowledged this generation with nothing in flight.

    What is deleted is in no table, so nobody acknowledges it: a router speaks of it for as long as
    it hasn't heard, or has something in flight.
    """
    said = reports.of(model.pk)
    if model.deleted_at is not None:
        heard = reports.said_at >= model.state_changed_at.timestamp()
        return heard and all(report.released for report in said)
    released = sum(report.released and report.generation >= model.generation for report in said)
    return released >= reports.routers


def _last_usage(models: list[HostedModel], *, now: datetime) -> dict[int, datetime]:
    """When each model was last used, as the ledger says; at the least when it woke.

    What is dated ahead of a clock that was set back is left to the routers to tell.
    """
    since = min(model.state_changed_at for model in models)
    rows = (
        UsageRecord.objects.filter(
            model_id__in=[model.pk for model in models],
            arrived_at__gte=since,
            arrived_at__lte=now + CLOCKS_APART,
        )
        .values_list("model_id")
        .annotate(last=Max("arrived_at"))
    )
    known = dict(rows)
    return {
        model.pk: max(known.get(model.pk, model.state_changed_at), model.state_changed_at)
        for model in models
    }
