"""How many replicas a model's load asks for: more at once, fewer after a while."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

import redis
from django.db.models import F, Q

from hosting import protocols, wire
from hosting.errors import HostingError
from hosting.lifecycle import draining, machine, operations, warmth
from hosting.models import HostedModel
from hosting.states import Event, State

SHRINK_AFTER = timedelta(seconds=60)


def scale(*, now: datetime) -> int:
    """Look at every awake model that may have several replicas; returns how many were changed."""
    several = HostedModel.objects.filter(state=State.AWAKE, max_replicas__gt=1)
    models = list(several.select_related("revision"))
    if not models:
        return 0
    try:
        reports = draining.read_reports(now=now)
    except redis.RedisError:
        return 0
    return sum(_scale(model, reports.of(model.pk), now=now) for model in models)


def needed(reports: Iterable[wire.Report], *, concurrency: int) -> int:
    """Replicas for what is in flight and waiting; one where a replica takes any number."""
    load = sum(report.in_flight + report.queued for report in reports)
    return max(1, math.ceil(load / concurrency)) if concurrency else 1


def keep_awake(*, now: datetime) -> None:
    """Wake models that must be awake now, with the pauses a failing one needs."""
    resting = HostedModel.objects.filter(
        Q(min_replicas__gt=0) | ~Q(warm_windows=[]),
        active=True,
        deleted_at=None,
        state__in=[State.ASLEEP, State.DROWSY, State.FAILED],
    )
    for model in resting.select_related("revision"):
        cause = _reason_to_be_awake(model, now=now)
        if cause is None:
            continue
        try:
            operations.wake(model, cause=cause, now=now, respect_backoff=True)
        except HostingError:
            continue


def _reason_to_be_awake(model: HostedModel, *, now: datetime) -> str | None:
    if model.min_replicas:
        return "always on"
    since = warmth.since(model, now=now)
    if since is None:
        return None
    # Who puts it to sleep within its hours wants it asleep, until a request or the next window.
    put_to_sleep = model.transitions.filter(event=Event.SLEEP, at__gte=since)
    return None if put_to_sleep.exists() else "warm window"


def _scale(model: HostedModel, reports: list[wire.Report], *, now: datetime) -> bool:
    wanted = min(needed(reports, concurrency=_concurrency(model)), model.max_replicas)
    row = HostedModel.objects.filter(pk=model.pk, state=State.AWAKE)
    if wanted > model.desired_replicas:
        row.update(desired_replicas=wanted, needed_at=now)
    elif wanted == model.desired_replicas:
        if wanted > 1:
            row.update(needed_at=now)
        return False
    elif model.needed_at is None or now - model.needed_at >= SHRINK_AFTER:
        # One at a time: what comes back in a moment finds most of them still there.
        row.update(desired_replicas=F("desired_replicas") - 1, needed_at=now)
    else:
        return False
    machine.nudge_on_commit(model.pk)
    return True


def _concurrency(model: HostedModel) -> int:
    revision = model.revision
    if revision is None:
        return 0
    if revision.concurrency is not None:
        return revision.concurrency
    return protocols.get(revision.protocol).default_concurrency
