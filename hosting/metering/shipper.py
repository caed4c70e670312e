"""Carries usage events from the routers' spools on this host into the ledger.

One shipper per host: a file lock sees to it. How far a segment was shipped is stored beside it,
after the commit; what is shipped twice because of a crash in between adds nothing to the ledger.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hosting.metering import ledger
from hosting.wire import UsageEvent

logger = logging.getLogger(__name__)

BATCH_BYTES = 256 * 1024
QUARANTINE = "quarantine.log"


@contextmanager
def only_one(spool: Path) -> Iterator[bool]:
    """Hold the spool's lock; False when another shipper on this host has it."""
    spool.mkdir(parents=True, exist_ok=True)
    with (spool / "shipper.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def ship_once(spool: Path) -> int:
    """Ship everything written so far; returns how many events were new to the ledger."""
    return sum(_ship_router(folder) for folder in sorted(spool.iterdir()) if folder.is_dir())


def _ship_router(folder: Path) -> int:
    new = 0
    segments = sorted(folder.glob("[0-9]*.log"))
    for segment in segments:
        new += _ship_segment(segment, is_last=segment == segments[-1])
    return new


def _ship_segment(segment: Path, *, is_last: bool) -> int:
    """Ship one segment from where the last run ended; a finished one is deleted."""
    marker = segment.with_suffix(".shipped")
    offset = int(marker.read_text()) if marker.exists() else 0
    new = 0
    with segment.open("rb") as file:
        file.seek(offset)
        while chunk := _whole_lines(file.read(BATCH_BYTES)):
            new += ledger.record(list(_events(chunk, quarantine=segment.parent / QUARANTINE)))
            offset += len(chunk)
            _store(marker, str(offset))
            file.seek(offset)
    if not is_last:
        segment.unlink()
        marker.unlink(missing_ok=True)
    return new


def _whole_lines(data: bytes) -> bytes:
    """The part up to the last newline: what follows is still being written, or padding."""
    return data[: data.rfind(b"\n") + 1]


def _events(chunk: bytes, *, quarantine: Path) -> Iterator[UsageEvent]:
    for line in chunk.splitlines(keepends=True):
        line = line.lstrip(b"\0")
        try:
            yield UsageEvent.from_line(line)
        except ValueError as error:
            logger.error("a damaged usage line went to %s: %s", quarantine, error)
            with quarantine.open("ab") as file:
                file.write(line)


def _store(path: Path, text: str) -> None:
    """Replace the file as a whole, or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    os.replace(draft, path)
