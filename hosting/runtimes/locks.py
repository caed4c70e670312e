"""Locks between threads and processes of one host, gone with the process that held them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Hold the lock of this path; yields the descriptor, for a child that shall go on holding it.

    The file goes away again, so a lock per replica leaves nothing behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _acquired(path)
    try:
        yield lock
    finally:
        path.unlink(missing_ok=True)
        os.close(lock)  # not LOCK_UN: that would take it from a child that still holds it


def _acquired(path: Path) -> int:
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if path.stat().st_ino == os.fstat(lock).st_ino:
                return lock
        except FileNotFoundError:
            pass
        os.close(lock)  # the holder we waited for took the file away: ours locks nothing
