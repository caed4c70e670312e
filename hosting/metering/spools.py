"""The files of a spool, as the control plane reads them: one folder per router process."""

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from hosting.wire import UsageEvent

BATCH_BYTES = 1024 * 1024


def identity(spool: Path) -> uuid.UUID:
    """The spool's own id, minted once: router names repeat from host to host."""
    path = spool / "spool-id"
    if not path.exists():
        draft = spool / f"spool-id.{uuid.uuid4()}"
        draft.write_text(str(uuid.uuid4()))
        with suppress(FileExistsError):  # somebody else minted it at the same moment
            path.hardlink_to(draft)
        draft.unlink()
    return uuid.UUID(path.read_text().strip())


def routers(spool: Path) -> list[Path]:
    """The folders of a spool, one per router process."""
    return sorted(folder for folder in spool.iterdir() if folder.is_dir())


def segments(folder: Path) -> list[Path]:
    """A router's segments, oldest first."""
    return sorted(folder.glob("[0-9]*.log"))


def whole_lines(file: BinaryIO, *, offset: int, most: int = BATCH_BYTES) -> bytes:
    """What stands from there on, in whole lines: what follows is still being written, or padding.

    A newline is stored after the rest of its line. But a reader passes over the beginning of a
    line first: if the router stores it meanwhile, there were zeros and further on there is the
    newline. So all up to that newline is read once more; by then it is there.
    """
    handle = file.fileno()  # past the file object's own buffer
    seen = os.pread(handle, most, offset).rfind(b"\n") + 1
    return os.pread(handle, seen, offset) if seen else b""


def events(path: Path, *, since: int = 0, until: int) -> Iterator[UsageEvent]:
    """The lines of a part of a segment; damaged ones are in quarantine."""
    offset = since
    with path.open("rb") as file:
        while offset < until:
            chunk = whole_lines(file, offset=offset, most=min(BATCH_BYTES, until - offset))
            if not chunk:
                return
            offset += len(chunk)
            for line in chunk.splitlines(keepends=True):
                with suppress(ValueError):
                    yield UsageEvent.from_line(line.lstrip(b"\0"))
