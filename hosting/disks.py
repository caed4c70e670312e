"""How much room is left on the disks we write to."""

import errno
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LOW_BYTES = 1 << 30
FULL_BYTES = 32 << 20  # PostgreSQL needs 16 MiB at once
_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk, by a folder on it. Sizes in bytes."""

    folder: Path
    total: int
    free: int

    @property
    def low(self) -> bool:
        """Whether somebody should look after it."""
        return self.free < LOW_BYTES

    @property
    def full(self) -> bool:
        """Whether what we write may not fit."""
        return self.free < FULL_BYTES

    def __str__(self) -> str:
        return f"The disk that holds {self.folder} has {self.free >> 20} MB free"


def look(folders: Iterable[Path]) -> list[Disk]:
    """Read the disks these folders are on, each disk once; a folder that isn't there yet counts."""
    disks: dict[int, Disk] = {}
    for folder in folders:
        there = next(each for each in (folder, *folder.parents) if each.exists())
        usage = shutil.disk_usage(there)
        disks.setdefault(os.stat(there).st_dev, Disk(folder, usage.total, usage.free))
    return list(disks.values())


def is_full(error: OSError) -> bool:
    """Whether there was no room for what we wanted to write."""
    return error.errno in _FULL_ERRORS
