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

from hosting import nudges, route_table, wire
from hosting.errors import HostingError, RuntimeUnavailable
from hosting.lifecycle import (
    builds,
    dozing,
    draining,
    due,
    ended_workers,
    scaling,
    targets,
    trials,
)
from hosting.lifecycle.due import Due
from hosting.lifecycle.tools import Tools
from hosting.models import Build, Replica
from hosting.models.build import BuildStatus
from hosting.models.replica import ReplicaStatus, name_of
from hosting.runtimes.base import Observed, Status
from hosting.states import State

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
        _keep_published()
        found = due.look(now=now)
        _do(found, now=now)
        for model_id in {*found.unfinished} | _lost(tools):
            nudges.reconcile(settings.REDIS_URL, model_id=model_id)


def _do(found: Due, *, now: datetime) -> None:
    if found.idle:
        draining.start_draining_idle(now=now)
    if found.drowsy:
        dozing.deepen(now=now)
    if found.scaled:
        scaling.scale(now=now)
    if found.kept_awake:
        scaling.keep_awake(now=now)
    if found.pinned:
        targets.let_quiet_ones_go(now=now)
    if found.on_trial:
        trials.call_off_failing(now=now)
    if found.abandoned_build:
        for build in _abandoned_builds(now):
            builds.take_up(build)


def _show_life() -> None:
    """Let routers know that tasks are taken, and that the database answers."""
    try:
        route_table.connection().set(wire.WORKER_KEY, 1, ex=wire.WORKER_SECONDS)
    except redis.RedisError as error:
        logger.warning("routers can't be told that a worker lives: %s", error)


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
    rows = Replica.objects.exclude(status=ReplicaStatus.GONE)
    by_name = {
        name_of(replica_id): (model_id, status, state)
        for replica_id, model_id, status, state in rows.values_list(
            "pk", "model_id", "status", "model__state"
        )
    }
    for name in observed.keys() - by_name.keys():
        _stop_unknown(name, tools=tools)
    return {
        model_id
        for name, (model_id, status, state) in by_name.items()
        if status == ReplicaStatus.READY and not _is_as_it_should(observed.get(name), state=state)
    }


def _stop_unknown(name: str, *, tools: Tools) -> None:
    """One that the engine can't get rid of keeps nobody from the rest of the round."""
    logger.warning("stopping %s: no replica of ours", name)
    try:
        tools.runtime.stop(name)
    except HostingError as error:
        logger.warning("%s stays: %s", name, error)


def _is_as_it_should(observed: Observed | None, *, state: str) -> bool:
    if observed is None or observed.status == Status.EXITED:
        return False
    if state == State.AWAKE:
        return not observed.paused  # it would take connections and never answer
    return state != State.DROWSY or observed.paused


def _abandoned_builds(now: datetime) -> list[Build]:
    """Builds whose builder died."""
    return list(Build.objects.filter(status=BuildStatus.RUNNING, lease_until__lt=now))


def _keep_published() -> None:
    """Write the route table again when Redis has lost it, and now and then in any case."""
    try:
        asked = route_table.connection().pipeline(transaction=False)
        asked.set(FRESH_KEY, 1, nx=True, ex=_REPUBLISH_EVERY_SECONDS)
        asked.exists(wire.ROUTES_EPOCH_KEY)
        due_again, published = asked.execute()
        if due_again or not published:
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
