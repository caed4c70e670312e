"""The beat table: what runs regularly. A round that was missed is not made up for."""

from typing import Any

from celery.schedules import crontab
from django.conf import settings

from hosting import nudges

BOOKS_SECONDS = 60.0
HOLD_SECONDS = 10.0

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep": {
        "task": nudges.SWEEP,
        "schedule": settings.SWEEP_SECONDS,
        "options": {
            "queue": nudges.QUEUES[nudges.SWEEP],
            "expires": settings.SWEEP_SECONDS * 2,
        },
    },
    "hold": {
        "task": nudges.HOLD,
        "schedule": HOLD_SECONDS,
        "options": {"queue": nudges.QUEUES[nudges.HOLD], "expires": HOLD_SECONDS},
    },
    "books": {
        "task": nudges.BOOKS,
        "schedule": BOOKS_SECONDS,
        "options": {"queue": nudges.QUEUES[nudges.BOOKS], "expires": BOOKS_SECONDS},
    },
    "proof": {
        "task": nudges.PROOF,
        "schedule": crontab(hour=3, minute=17),  # by night, and not when everybody's jobs run
        "options": {"queue": nudges.QUEUES[nudges.PROOF]},
    },
}
