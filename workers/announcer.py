"""The lifecycle worker's first word: `make up` only says that it serves when tasks are taken."""

import os
from contextlib import suppress
from typing import Any

from celery.signals import worker_ready
from django.conf import settings

from hosting import nudges


@worker_ready.connect
def announce(sender: Any, **_: object) -> None:
    """Write down who takes tasks, where somebody waits for it."""
    if nudges.LIFECYCLE_QUEUE in sender.app.amqp.queues.consume_from:
        with suppress(FileNotFoundError):  # no `make up` here
            settings.LIFECYCLE_WORKER.write_text(str(os.getpid()))
