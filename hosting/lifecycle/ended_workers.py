"""Workers that have ended, proved by a lock that only a living one holds.

The kernel lets go of it when the process ends, however it ends. That holds on this host only:
elsewhere the lease of a dead worker ends by itself.
"""

import fcntl
import logging
import os
import uuid
from functools import cache
from pathlib import Path

from django.conf import settings

from hosting.models import HostedModel

logger = logging.getLogger(__name__)


@cache
def own_name() -> str:
    """What this process's leases begin with. Its lock is held from here on until it ends.

    Where there is no room for one, its leases end by themselves: nothing waits for a disk.
    """
    name = uuid.uuid4().hex[:16]
    try:
        _folder().mkdir(parents=True, exist_ok=True)
        handle = os.open(_folder() / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        logger.warning("the end of this process could not be proved by a lock: %s", error)
        return name
    fcntl.flock(handle, fcntl.LOCK_EX)
    return name


def free_their_leases() -> int:
    """Let others go on with what workers of this host were at when they ended; returns how many."""
    freed = 0
    for path in _folder().glob("*"):
        if _has_ended(path):
            theirs = HostedModel.objects.filter(lease_holder__startswith=path.name)
            freed += theirs.update(lease_holder="", lease_until=None)
            path.unlink(missing_ok=True)
    return freed


def _has_ended(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(handle)


def _folder() -> Path:
    return settings.STATE_DIR / "workers"
