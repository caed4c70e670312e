"""The lifecycle worker's other ear: one thread that has kept what replicas write."""

import threading
from typing import Any

from celery.signals import worker_ready, worker_shutting_down

from hosting import nudges
from hosting.lifecycle import engine
from hosting.logs.collector import collect_all

_stop = threading.Event()


@worker_ready.connect
def start(sender: Any, **_: object) -> None:
    """Begin to collect, but only in a worker that looks after replicas."""
    if nudges.LIFECYCLE_QUEUE in sender.app.amqp.queues.consume_from:
        threading.Thread(
            target=collect_all, args=(engine.runtime(),), kwargs={"stop": _stop}, daemon=True
        ).start()


@worker_shutting_down.connect
def stop(**_: object) -> None:
    """Let another worker collect."""
    _stop.set()
