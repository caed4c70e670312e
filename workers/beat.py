"""Beat, which a clock that is set back does not stop.

Celery's waits until the clock is where it was when each task was sent last: for an hour without a
sweep, when it was set back by an hour.
"""

from datetime import timedelta
from typing import Any

from celery.beat import PersistentScheduler

# Sending takes a moment; a clock that was set back by less keeps nobody waiting.
_TOLERATED = timedelta(seconds=1)


class SteadyScheduler(PersistentScheduler):
    """What was sent in the future was sent now."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; returns the seconds until the next look."""
        for entry in self.schedule.values():
            now = entry.default_now()
            if entry.last_run_at and entry.last_run_at > now + _TOLERATED:
                entry.last_run_at = now
                self._heap = None  # its times are of the same clock
        return float(super().tick(*args, **kwargs))
