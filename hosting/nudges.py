"""Tells a worker to look at something now. A lost nudge costs time, never truth.

Both planes send nudges: the control plane after commit, the router when a request meets a sleeping
model. No Django here. Sending blocks on the broker: from an event loop, use a thread.
"""

import logging
from dataclasses import asdict
from functools import cache

from celery import Celery
from kombu.exceptions import OperationalError

from hosting.wire import Asker

logger = logging.getLogger(__name__)

WAKE = "workers.wake"
RECONCILE = "workers.reconcile"
SWEEP = "workers.sweep"
HOLD = "workers.hold"
BUILD = "workers.build"
DESCRIBE = "workers.describe"
PRUNE = "workers.prune"
BOOKS = "workers.keep_books"
PROOF = "workers.prove_books"
LEASES = "workers.lease_units"

LIFECYCLE_QUEUE = "lifecycle"
DEFAULT_QUEUE = "default"
QUEUES = {
    WAKE: LIFECYCLE_QUEUE,
    RECONCILE: LIFECYCLE_QUEUE,
    SWEEP: LIFECYCLE_QUEUE,
    HOLD: LIFECYCLE_QUEUE,
    LEASES: LIFECYCLE_QUEUE,  # requests wait for it: not behind the books
    BUILD: LIFECYCLE_QUEUE,
    DESCRIBE: LIFECYCLE_QUEUE,
    PRUNE: DEFAULT_QUEUE,
    BOOKS: DEFAULT_QUEUE,
    PROOF: DEFAULT_QUEUE,
}


@cache
def configure(broker_url: str) -> Celery:
    """The sender for this broker; in the router, call it once at start."""
    app = Celery("dormouse-nudges", broker=broker_url, set_as_current=False)
    app.conf.update(
        broker_connection_timeout=2,
        broker_transport_options={"socket_timeout": 2, "socket_connect_timeout": 2},
        task_ignore_result=True,
    )
    return app


def send(broker_url: str, task: str, **kwargs: object) -> bool:
    """Send a task by name to its queue; False, and a log line, when the broker is away."""
    try:
        configure(broker_url).send_task(
            task, kwargs=kwargs, queue=QUEUES[task], retry=False, ignore_result=True
        )
    except (OperationalError, OSError) as error:
        logger.warning("nudge %s %s not sent: %s", task, kwargs, error)
        return False
    return True


def wake(broker_url: str, *, model_id: int, asker: Asker, revision: int = 0) -> bool:
    """Ask for a replica on behalf of a request; of that `revision` (a number), if one is given."""
    said = asdict(asker)
    if revision:
        said["revision"] = revision
    return send(broker_url, WAKE, model_id=model_id, **said)


def leases(
    broker_url: str, *, router: str, boot: int, at: float, statements: list[dict[str, object]]
) -> bool:
    """Say what this router process holds and needs (`wire.LeaseStatement` as dicts)."""
    return send(broker_url, LEASES, router=router, boot=boot, at=at, statements=statements)


def reconcile(broker_url: str, *, model_id: int) -> bool:
    """Ask to compare this model's rows with the engine now."""
    return send(broker_url, RECONCILE, model_id=model_id)
