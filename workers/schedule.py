"""The beat table: what runs regularly. A round that was missed is not made up for."""

from typing import Any

from django.conf import settings

from hosting import nudges

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep": {
        "task": nudges.SWEEP,
        "schedule": settings.SWEEP_SECONDS,
        "options": {
            "queue": nudges.QUEUES[nudges.SWEEP],
            "expires": settings.SWEEP_SECONDS * 2,
        },
    },
}
