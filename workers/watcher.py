"""The lifecycle worker's ear: one thread that hears of replicas that end."""

import threading
from typing import Any

from celery.signals import worker_ready, worker_shutting_down

from hosting import nudges
from hosting.lifecycle import engine
from hosting.lifecycle.watching import watch

_stop = threading.Event()


@worker_ready.connect
def start(sender: Any, **_: object) -> None:
    """Begin to listen, but only in a worker that looks after replicas."""
    if nudges.LIFECYCLE_QUEUE in sender.app.amqp.queues.consume_from:
        # A daemon: it waits for the engine's next word, and nobody waits for it.
        threading.Thread(
            target=watch, args=(engine.runtime(),), kwargs={"stop": _stop}, daemon=True
        ).start()


@worker_shutting_down.connect
def stop(**_: object) -> None:
    """Ask for nothing more."""
    _stop.set()
