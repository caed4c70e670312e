"""A clock that was set: by hand, by NTP, or because the machine had been asleep itself.

What is dated ahead would stand still until the clock is there again, for as long as it was set
back. What counts since a moment would be over at once when it is set forward: a drain, a start.
"""

import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import redis
from django.db import models, transaction
from django.db.models import F, Q

from hosting import route_table, wire
from hosting.lifecycle import builds
from hosting.lifecycle.clock import CLOCKS_APART, Clock
from hosting.lifecycle.starting import BACKOFF
from hosting.lifecycle.sweep import FRESH_KEY
from hosting.models import Build, HostedModel, Replica, Target, Transition, Wake
from hosting.models.replica import ReplicaStatus
from hosting.states import State

logger = logging.getLogger(__name__)

# Less does no harm.
TOLERATED = timedelta(seconds=5)
_NONE = timedelta()
_REPLICA = ("created_at", "started_at", "listening_at", "ready_at", "withdrawn_at", "stopped_at")
_WAKE = ("asked_at", "taken_at", "prepared_at", "started_at", "listening_at", "ended_at")
# What may not be ahead of now by more than this. It is brought back to there.
_DATED: Sequence[tuple[type[models.Model], str, timedelta]] = (
    *((HostedModel, name, _NONE) for name in ("needed_at", "revision_changed_at")),
    *((Replica, name, _NONE) for name in _REPLICA),
    (Target, "asked_at", _NONE),
    (Target, "retry_at", timedelta(seconds=30)),
    (Build, "lease_until", builds.LEASE),
    (Build, "finished_at", _NONE),
    (Transition, "at", _NONE),
    *((Wake, name, _NONE) for name in _WAKE),
)


class Lead:
    """By how much the clock is ahead of the one that only rises."""

    def __init__(self) -> None:
        self._known: timedelta | None = None
        self._lock = threading.Lock()

    def change(self, clock: Clock) -> timedelta | None:
        """By how much the clock was set since the last call, if it was; None at the first."""
        lead = timedelta(seconds=clock.now().timestamp() - clock.monotonic())
        with self._lock:
            known, self._known = self._known, lead
        return None if known is None else lead - known


def mend_if_set(lead: Lead, *, clock: Clock) -> None:
    """Put right what was dated by the clock as it was. Called before anything is decided by it.

    A process that has just begun can't know: it looks for what is dated ahead.
    """
    change = lead.change(clock)
    if change is not None and abs(change) <= TOLERATED:
        return
    now = clock.now()
    if change is not None:
        logger.warning("the clock was set by %+.0f s", change.total_seconds())
        _greet_routers(now=now)
        _begin_anew(now=now)
    bring_back(now=now)


def bring_back(*, now: datetime) -> None:
    """Date what is dated ahead as of now, in the order in which it happened."""
    for table, name, latest in _DATED:
        ahead = table._default_manager.filter((f"{name}__gt", now + latest + CLOCKS_APART))
        ahead.update(**{name: now + latest})
    longest = max(BACKOFF)
    odd = Q(state_changed_at__gt=now + CLOCKS_APART) | Q(retry_at__gt=now + longest + CLOCKS_APART)
    for model in HostedModel.objects.filter(odd):
        _change(
            model,
            state_changed_at=min(model.state_changed_at, now),
            retry_at=model.retry_at and min(model.retry_at, now + longest),
        )


def _begin_anew(*, now: datetime) -> None:
    """Give what is under way its whole time again."""
    under_way = [State.AWAKENING, State.DRAINING]
    HostedModel.objects.filter(state__in=under_way).update(state_changed_at=now)
    rows = Replica.objects.all()
    rows.filter(status=ReplicaStatus.DRAINING).update(withdrawn_at=now)
    starting = rows.filter(status=ReplicaStatus.STARTING)
    starting.update(created_at=now)
    starting.filter(started_at__isnull=False).update(started_at=now)


def _greet_routers(*, now: datetime) -> None:
    """Count those that were alive as alive: they write the new time within a second."""
    try:
        connection = route_table.connection()
        known = [str(each) for each in connection.zrange(wire.ROUTERS_KEY, 0, -1)]
        if known:
            connection.zadd(wire.ROUTERS_KEY, dict.fromkeys(known, now.timestamp()), xx=True)
        connection.delete(FRESH_KEY)
    except redis.RedisError as error:
        logger.warning("the routers could not be counted anew: %s", error)


def _change(model: HostedModel, **fields: datetime | None) -> None:
    """Routers hear of it: they refuse by the time of the next try."""
    with transaction.atomic():
        HostedModel.objects.filter(pk=model.pk).update(generation=F("generation") + 1, **fields)
        transaction.on_commit(partial(route_table.publish, model.pk))
