"""The kernel's own freezer, told directly: well below a millisecond, where an engine takes sixteen.

For who is root on the machine that runs the container. Either version of control groups has one.
"""

import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path

from hosting.errors import ReplicaFailed

ROOT = Path("/sys/fs/cgroup")

# Long for a kernel, and short for a worker: what takes longer hangs in a call that can't be left.
_SETTLES_WITHIN_SECONDS = 2.0
_LOOK_EVERY_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class _Version:
    """The file that is written, with what; the file that tells, and the lines it tells it by."""

    switch: str
    freeze: str
    thaw: str
    teller: str
    frozen: str
    thawed: str


_V1 = _Version("freezer.state", "FROZEN", "THAWED", "freezer.state", "FROZEN", "THAWED")
_V2 = _Version("cgroup.freeze", "1", "0", "cgroup.events", "frozen 1", "frozen 0")


@dataclass(frozen=True, slots=True)
class CgroupFreezer:
    """The freezer of one container, which is never another's: the folder has the container's id."""

    folder: Path
    version: _Version

    def is_frozen(self) -> bool:
        """Whether no process of the container runs; False for one that has ended."""
        return self.version.frozen in (self._read(self.version.teller) or "").splitlines()

    def freeze(self) -> bool:
        """Return when all of it stands still; False when it has ended.

        Raises ReplicaFailed, and lets it go on, when that takes longer than two seconds.
        """
        try:
            return self._settle(self.version.freeze, until=self.version.frozen)
        except ReplicaFailed:
            self._write(self.version.thaw)
            raise

    def thaw(self) -> bool:
        """Return when it goes on; False when it has ended. Raises ReplicaFailed as `freeze`."""
        runs = self._settle(self.version.thaw, until=self.version.thawed)
        return runs and bool(self._read("cgroup.procs"))

    def _settle(self, said: str, *, until: str) -> bool:
        if not self._write(said):
            return False
        deadline = time.monotonic() + _SETTLES_WITHIN_SECONDS
        while (told := self._read(self.version.teller)) is not None:
            if until in told.splitlines():
                return True
            if time.monotonic() > deadline:
                raise ReplicaFailed(f"The kernel doesn't say “{until}” of {self.folder.name}.")
            time.sleep(_LOOK_EVERY_SECONDS)
        return False

    def _write(self, said: str) -> bool:
        try:
            (self.folder / self.version.switch).write_text(said)
        except OSError as error:
            if not _is_gone(error):
                raise
            return False
        return True

    def _read(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text()
        except OSError as error:
            if not _is_gone(error):
                raise
            return None


def obeys(*, root: Path = ROOT) -> bool:
    """Whether we may tell freezers anything; else they can only be looked at."""
    first = root / "freezer"
    return os.access(first if first.is_dir() else root, os.W_OK)


def find(container_id: str, *, root: Path = ROOT) -> CgroupFreezer | None:
    """The freezer of a running container, where Docker's two drivers put it by themselves.

    None where there is none in sight: the engine is another machine's or was told of another
    place, or we are in a container.
    """
    for top, version in ((root / "freezer", _V1), (root, _V2)):
        for below in (f"docker/{container_id}", f"system.slice/docker-{container_id}.scope"):
            if (top / below / version.switch).exists():
                return CgroupFreezer(top / below, version)
    return None


def _is_gone(error: OSError) -> bool:
    """Whether the control group was removed, before it was opened or since."""
    return error.errno in (errno.ENOENT, errno.ENODEV)
