"""Time as an argument: the real clock here, one that never waits in the tests."""

import time
from datetime import datetime, timedelta
from typing import Protocol

from django.utils import timezone

# How far ahead of each other the clocks of two machines may be. What is dated further ahead comes
# from a clock that was set back since.
CLOCKS_APART = timedelta(seconds=30)


class Clock(Protocol):
    """What the lifecycle needs of time."""

    def now(self) -> datetime:
        """The time, aware."""

    def monotonic(self) -> float:
        """Seconds from some moment on: they only rise, whatever the clock is set to."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, in UTC."""
        return timezone.now()

    def monotonic(self) -> float:
        """Seconds since the machine was started."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, blocking this thread."""
        time.sleep(seconds)
