"""Says in time that a disk fills up, and that it is full for as long as it is."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hosting import disks
from hosting.disks import Disk

_LOOK_SECONDS = 1.0
_REPEAT_SECONDS = 60.0
_AN_HOUR = 3600.0


class DiskWatch:
    """The disks of one installation. `check` often; it looks once a second."""

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        logs: Path,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.full = False
        self._folders = folders
        self._logs = logs
        self._say = say
        self._clock = clock
        self._look_at = 0.0
        self._repeat_at: dict[tuple[Path, bool], float] = {}

    def check(self) -> bool:
        """Warn of what is short of room; True once there is room again after a disk was full."""
        now = self._clock()
        if now < self._look_at:
            return False
        self._look_at = now + _LOOK_SECONDS
        found = disks.look(self._folders)
        for disk in found:
            if disk.low:
                self._warn(disk, now=now)
        was_full, self.full = self.full, any(disk.full for disk in found)
        if was_full and not self.full:
            self._repeat_at.clear()
            self._say("There is room on the disk again: everything goes on.")
            return True
        return False

    def _warn(self, disk: Disk, *, now: float) -> None:
        if now < self._repeat_at.get((disk.folder, disk.full), 0.0):
            return
        every = _REPEAT_SECONDS if disk.full else _AN_HOUR
        self._repeat_at[disk.folder, disk.full] = now + every
        if disk.full:
            self._say(
                f"{disk}: it is full, and what must be written down waits. Free some space on it; "
                f"nothing needs to be started again. Of ours, what is in {self._logs} may go."
            )
        else:
            self._say(
                f"{disk}. Free some space on it: once it is full, requests can't be counted, "
                "and are refused."
            )
