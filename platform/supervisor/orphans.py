"""Processes of an installation whose supervisor was killed.

The kernel has told them to stop, but one may wait for a server that is gone, and would go on with
its work as soon as that is back.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 10.0


def end(state: Path) -> None:
    """Wait for those of this state folder, then kill them. Only call it with the lock held."""
    deadline = time.monotonic() + GRACE_SECONDS
    while (left := _of(state)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    while _of(state) and time.monotonic() < deadline + 1:
        time.sleep(0.05)


def _of(state: Path) -> list[int]:
    """Our Python, a session of its own, this folder in its environment: started by a supervisor."""
    marker = f"DORMOUSE_STATE_DIR={state}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with suppress(OSError):
            argv = (folder / "cmdline").read_bytes().split(b"\0")
            ours = argv[0] == sys.executable.encode() and b"supervisor" not in argv
            if not ours or os.getsid(pid) != pid:
                continue
            if marker in (folder / "environ").read_bytes().split(b"\0"):
                found.append(pid)
    return found
