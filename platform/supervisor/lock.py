"""One supervisor per installation: an advisory lock, which the kernel frees however it ends."""

import fcntl
import os
import signal
import time
from pathlib import Path

from supervisor.errors import SetupFailed

_STOP_SECONDS = 120.0


class Lock:
    """Held for the life of the process that took it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take it; False when another process holds it."""
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let the next one in."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """The pid of the process that holds it now; a pid left by a dead one doesn't count."""
        if self._descriptor is not None:
            return os.getpid()
        if not self._file.exists() or self.take():
            self.release()
            return None
        text = self._file.read_text().strip()
        return int(text) if text else None

    def end_holder(self) -> bool:
        """Ask the holder to stop and wait until it has; False when there was none."""
        pid = self.holder()
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while self.holder() is not None:
            if time.monotonic() > deadline:
                raise SetupFailed(f"Process {pid} does not stop. See var/log, then: kill -9 {pid}")
            time.sleep(0.1)
        return True
