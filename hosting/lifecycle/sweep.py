"""Look after everything, every few seconds: whatever a lost nudge or a dead worker left half done.

Adopts what runs; never stops anything it can't name.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import redis
from django.conf import settings
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from hosting import nudges, route_table, wire
from hosting.errors import RuntimeUnavailable
from hosting.lifecycle import (
    builds,
    dozing,
    draining,
    ended_workers,
    leases,
    scaling,
    targets,
    trials,
)
from hosting.lifecycle.tools import Tools
from hosting.models import Build, HostedModel, Replica, Target
from hosting.models.build import BuildStatus
from hosting.models.replica import ReplicaStatus
from hosting.runtimes.base import Observed, Status
from hosting.states import TRANSIENT, State

logger = logging.getLogger(__name__)

_LOCK = 0x444F524D  # any number of ours: only one sweep at a time
_REPUBLISH_EVERY_SECONDS = 30
FRESH_KEY = "dormouse:routes:fresh"  # there for so long after the route table was compared


def sweep(*, tools: Tools) -> None:
    """One round. Cheap when there is nothing to do; skipped while another round runs."""
    with _alone() as alone:
        _show_life()
        if not alone:
            return
        now = tools.clock.now()
        ended_workers.free_their_leases()
        _keep_published(now)
        draining.start_draining_idle(now=now)
        dozing.deepen(now=now)
        scaling.scale(now=now)
        scaling.keep_awake(now=now)
        targets.let_quiet_ones_go(now=now)
        trials.call_off_failing(now=now)
        for build in _abandoned_builds(now):
            builds.request(build.slug)
        for model_id in _unfinished(now) | _lost(tools):
            nudges.reconcile(settings.REDIS_URL, model_id=model_id)


def _show_life() -> None:
    """Let routers know that tasks are taken, and that the database answers."""
    try:
        route_table.connection().set(wire.WORKER_KEY, 1, ex=wire.WORKER_SECONDS)
    except redis.RedisError as error:
        logger.warning("routers can't be told that a worker lives: %s", error)


def _unfinished(now: datetime) -> set[int]:
    """Models in a state somebody must lead out of, or with a replica that is to change."""
    unled = leases.free(now=now)
    transient = HostedModel.objects.filter(unled, state__in=TRANSIENT)
    resting = HostedModel.objects.filter(
        unled,
        state__in=[State.ASLEEP, State.FAILED],
        pk__in=Replica.objects.exclude(status=ReplicaStatus.GONE).values("model_id"),
    )
    # Awake, and a replica starts, drains, or is of a revision that is no longer in use.
    unused = ~Q(revision=F("model__revision")) & Q(revision__target=None)
    odd = ~Q(status=ReplicaStatus.READY) | unused
    unsettled = Replica.objects.filter(odd, model__state=State.AWAKE).exclude(
        status=ReplicaStatus.GONE
    )
    changing = HostedModel.objects.filter(
        unled, Q(retry_at=None) | Q(retry_at__lte=now), pk__in=unsettled.values("model_id")
    )
    found = {
        model_id
        for rows in (transient, resting, changing)
        for model_id in rows.values_list("pk", flat=True)
    }
    return found | set(_without_a_replica(now))


def _without_a_replica(now: datetime) -> QuerySet[Target, int]:
    """Awake models that lack a replica of a revision in use beside the current one."""
    due = Q(retry_at=None) | Q(retry_at__lte=now)
    unled = leases.free(now=now, prefix="model__")
    there = Replica.objects.filter(revision=OuterRef("revision"), status=ReplicaStatus.READY)
    lacking = Target.objects.filter(due, unled, ~Exists(there), model__state=State.AWAKE)
    return lacking.values_list("model_id", flat=True)


def _lost(tools: Tools) -> set[int]:
    """Models whose replica the engine has lost, or paused or resumed behind our back.

    Containers without a row are stopped.

    The engine is asked first: a container that is listed had its row before it was made.
    """
    try:
        observed = {each.name: each for each in tools.runtime.replicas()}
    except RuntimeUnavailable as error:
        logger.warning("the engine doesn't answer: %s", error)
        return set()
    rows = Replica.objects.exclude(status=ReplicaStatus.GONE).only(
        "pk", "model_id", "status", "model__state"
    )
    rows = rows.select_related("model")
    by_name = {row.name: row for row in rows}
    for name in observed.keys() - by_name.keys():
        logger.warning("stopping %s: no replica of ours", name)
        tools.runtime.stop(name)
    return {
        row.model_id
        for name, row in by_name.items()
        if row.status == ReplicaStatus.READY
        and not _is_as_it_should(observed.get(name), state=row.model.current_state)
    }


def _is_as_it_should(observed: Observed | None, *, state: State) -> bool:
    if observed is None or observed.status == Status.EXITED:
        return False
    if state == State.AWAKE:
        return not observed.paused  # it would take connections and never answer
    return state != State.DROWSY or observed.paused


def _abandoned_builds(now: datetime) -> list[Build]:
    """Builds whose builder died."""
    return list(Build.objects.filter(status=BuildStatus.RUNNING, lease_until__lt=now))


def _keep_published(now: datetime) -> None:
    """Write the route table again when Redis has lost it, and now and then in any case."""
    try:
        due = route_table.connection().set(FRESH_KEY, 1, nx=True, ex=_REPUBLISH_EVERY_SECONDS)
        if due or not route_table.is_published():
            route_table.publish_all()
    except redis.RedisError as error:
        logger.warning("the route table can't be published: %s", error)


@contextmanager
def _alone() -> Iterator[bool]:
    """Hold the sweep's lock in the database; False when another worker has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        (locked,) = cursor.fetchone() or (False,)
        try:
            yield bool(locked)
        finally:
            if locked:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
