"""How many replicas a model's load asks for: more at once, fewer after a while."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

import redis
from django.db.models import F

from hosting import protocols, wire
from hosting.errors import HostingError
from hosting.lifecycle import draining, machine, operations
from hosting.models import HostedModel
from hosting.states import State

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


def keep_always_on(*, now: datetime) -> None:
    """Wake models that must never sleep, with the pauses a failing one needs."""
    resting = HostedModel.objects.filter(
        active=True,
        deleted_at=None,
        min_replicas__gt=0,
        state__in=[State.ASLEEP, State.DROWSY, State.FAILED],
    )
    for model in resting:
        try:
            operations.wake(model, cause="always on", now=now, respect_backoff=True)
        except HostingError:
            continue


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
