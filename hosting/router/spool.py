"""The router's append-only file of usage events. What is in it survives any kill.

A segment is 8 MiB, allocated in full when it is made and mapped into memory: an append is a copy
into the page cache, which outlives this process. `flush` makes it outlive the machine; it runs in a
thread every 50 ms. The next segment is always at hand, as `spare`: a full disk shows when no spare
can be made, and the requests under way still have a whole segment to be written to.

A line's newline is stored after the rest of it. So a reader that finds no newline yet, or the
zeros of the unused rest, has met the end, for now; one that finds it reads up to there again, since
what it read before may be older. Segments are named by the milliseconds at which
they were made, and only ever grow.

Beside them a process keeps a `Mark` of its own: up to where answers are out. It is gone when the
process ends in order. One that stays tells which requests a killed process had just written down.
"""

import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hosting.wire import SPOOL_MARK, mark_path

SEGMENT_BYTES: Final = 8 << 20
_NEWLINE: Final = 10


class SpoolUnavailable(Exception):
    """No segment can be made: disk full, or not ours to write."""


class Spool:
    """Appends lines to the newest segment of one directory, which it holds a lock on."""

    def __init__(self, root: Path, name: str, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._lock, self.directory = _claim(root, name)
        self.boot = 0  # which process in this place; 0 until there is room to write it down
        self._segment_bytes = segment_bytes
        self._file = -1
        self._full: list[int] = []  # segments to bring to the disk and close
        self._map: mmap.mmap | None = None
        self._end = 0
        self._dirty = False
        # Above all there are, even if the clock was set back: the shipper takes the last for open.
        self._sequence = max((int(each.stem) for each in _segments(self.directory)), default=0)
        self._spare: int | None = None  # an open file, allocated in full
        self._retry_at = 0.0
        self._mark: mmap.mmap | None = None
        self._connections = 0
        self._passed = (0, 0)  # segment and place that were reached when `mark` was last called
        self.problem = ""  # why nothing can be written
        self.writable(now=0.0)

    @property
    def name(self) -> str:
        """The name of this process among the routers: that of its directory."""
        return self.directory.name

    def append(self, line: bytes) -> None:
        """Store one line, which ends in a newline. SpoolUnavailable: it is not stored."""
        end = self._end + len(line)
        if end > self._segment_bytes or self._map is None:
            self._open_segment()
            end = self._end + len(line)
        target = self._map
        assert target is not None
        # By index: the methods that write spend longer on taking their arguments.
        target[self._end : end - 1] = line[:-1]
        target[end - 1] = _NEWLINE
        self._end = end
        self._dirty = True

    def writable(self, *, now: float) -> bool:
        """Whether there is room for all that is under way. Tries again every second if not."""
        if self._spare is not None:
            return True
        if now < self._retry_at:
            return False
        try:
            self._prepare()
        except OSError as error:
            self.problem = str(error)
            self._retry_at = now + 1.0
            return False
        self.problem = ""
        return True

    @property
    def unsynced(self) -> bool:
        """Whether `flush` has anything to bring to the disk."""
        return self._dirty or bool(self._full)

    def mark(self, *, connections: int) -> None:
        """Note that answers are out up to where we were at the last call: turns of the loop ago.

        `connections`: how many are open, so that many answers at most could be cut off here.
        """
        self._connections = connections
        self._write_mark()
        self._passed = (self._sequence, self._end)

    def flush(self) -> None:
        """Bring what was appended to the disk. May run in a thread beside `append`."""
        while self._full:
            _sync_and_close(self._full.pop())
        if self._dirty and self._file >= 0:
            self._dirty = False
            _sync_and_close(os.dup(self._file))  # a rotation may close ours meanwhile

    def close(self) -> None:
        """Cut the segment to what is used and let the directory go."""
        self._close_segment()
        self.flush()
        if self._spare is not None:
            os.close(self._spare)
            (self.directory / "spare").unlink()
        if self._mark is not None:
            self._mark.close()
            mark_path(self.directory, self.boot).unlink()
        os.close(self._lock)

    def _prepare(self) -> None:
        """See to it that there is a segment and, beside it, a spare."""
        self.boot = self.boot or _count_boot(self.directory)
        self._spare = self._allocate()
        if self._map is None:
            self._open_segment()
            self._spare = self._allocate()
        self._mark = self._mark or self._make_mark()

    def _allocate(self) -> int:
        path = self.directory / "spare"
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(handle, 0, self._segment_bytes)
        except OSError:
            os.close(handle)
            path.unlink()
            raise
        return handle

    def _open_segment(self) -> None:
        """Make the spare the segment."""
        self._close_segment()
        try:
            handle = self._allocate() if self._spare is None else self._spare
        except OSError as error:
            raise SpoolUnavailable(*error.args) from error
        self._spare = None
        self._sequence = max(self._sequence + 1, int(time.time() * 1000))
        self._map = mmap.mmap(handle, self._segment_bytes)
        (self.directory / "spare").rename(self.directory / f"{self._sequence:016d}.log")
        self._file = handle
        self._end = 0
        self._write_mark()

    def _write_mark(self) -> None:
        if self._mark is not None:
            said = (*self._passed, self._sequence, self._connections)
            SPOOL_MARK.pack_into(self._mark, 0, *said)

    def _make_mark(self) -> mmap.mmap:
        self._passed = (self._sequence, 0)
        path = mark_path(self.directory, self.boot)
        path.write_bytes(SPOOL_MARK.pack(*self._passed, self._sequence, 0))
        with path.open("r+b") as file:
            return mmap.mmap(file.fileno(), SPOOL_MARK.size)

    def _close_segment(self) -> None:
        if self._map is None:
            return
        self._map.close()
        self._map = None
        os.ftruncate(self._file, self._end)
        self._full.append(self._file)
        self._file = -1


def _segments(directory: Path) -> Iterator[Path]:
    return directory.glob("[0-9]*.log")


def _count_boot(directory: Path) -> int:
    """How many processes have had this place: a greater number is later, whatever clocks say."""
    path, draft = directory / "boots", directory / "boots.draft"
    number = 1 + (int(path.read_text() or 0) if path.exists() else 0)
    draft.write_text(str(number))
    draft.rename(path)
    return number


def _sync_and_close(handle: int) -> None:
    try:
        os.fdatasync(handle)
    finally:
        os.close(handle)


def _claim(root: Path, name: str) -> tuple[int, Path]:
    """The first free of NAME-0, NAME-1, …: a restarted router takes its old place again."""
    for number in range(1000):
        directory = root / f"{name}-{number}"
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            continue
        return handle, directory
    raise SpoolUnavailable(f"every place under {root} is taken")
