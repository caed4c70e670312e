"""Hear of replicas that end, when they end, instead of finding out at the next sweep."""

import logging
import threading

from django.conf import settings
from django.db import close_old_connections

from hosting import nudges
from hosting.errors import HostingError, RuntimeUnavailable
from hosting.models import Replica
from hosting.models.replica import ReplicaStatus
from hosting.runtimes.base import Runtime

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0


def watch(runtime: Runtime, *, stop: threading.Event) -> None:
    """Listen until told to stop. A stream that ends is opened again, after a sweep is asked for.

    A cut stream raises nothing and repeats nothing: only looking finds what was missed.
    """
    while runtime.watches and not stop.is_set():
        try:
            listen(runtime)
        except RuntimeUnavailable:
            logger.warning("the engine tells nothing; trying again")
        except HostingError:
            logger.exception("the engine's events could not be read")
        if not stop.wait(PAUSE_SECONDS):
            nudges.send(settings.REDIS_URL, nudges.SWEEP)


def listen(runtime: Runtime) -> None:
    """Have a worker look at each model whose replica ended, until the stream ends."""
    for name in runtime.deaths():
        model_id = _mourned_by(name)
        if model_id is not None:
            nudges.reconcile(settings.REDIS_URL, model_id=model_id)
        close_old_connections()


def _mourned_by(name: str) -> int | None:
    """The model whose replica should still run; None for one that we stopped ourselves."""
    prefix, _, number = name.rpartition("-r")
    if prefix != settings.INSTALLATION or not number.isdigit():
        return None
    wanted = [ReplicaStatus.READY, ReplicaStatus.DRAINING]
    row = Replica.objects.filter(pk=int(number), status__in=wanted)
    return row.values_list("model_id", flat=True).first()
