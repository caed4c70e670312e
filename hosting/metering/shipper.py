"""Carries usage events from the routers' spools on this host into the ledger.

One shipper per host: a file lock sees to it. How far a segment was shipped is a row that moves in
the transaction that inserts, so a shipper killed anywhere loses and doubles nothing.
"""

import fcntl
import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from django.db import DataError, transaction
from django.utils import timezone

from hosting.metering import endings, ledger
from hosting.metering.spools import identity, routers, segments, whole_lines
from hosting.models import SpoolSegment, SpoolSource
from hosting.wire import UsageEvent

logger = logging.getLogger(__name__)

QUARANTINE = "quarantine.log"
# A shipped segment stays this long: the nightly comparison reads it again.
RETENTION = timedelta(hours=72)


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


def ship_once(spool: Path, *, now: datetime | None = None, retention: timedelta = RETENTION) -> int:
    """Ship everything written so far; returns how many events were new to the ledger."""
    now = now or timezone.now()
    spool_id = identity(spool)
    return sum(
        _ship_router(folder, spool_id=spool_id, now=now, retention=retention)
        for folder in routers(spool)
    )


def _ship_router(folder: Path, *, spool_id: uuid.UUID, now: datetime, retention: timedelta) -> int:
    source, _ = SpoolSource.objects.get_or_create(spool_id=spool_id, router=folder.name)
    ended = endings.last_ended(folder)  # before anything is read: so all it wrote is read
    new = 0
    found = segments(folder)
    for path in found:
        segment, _ = SpoolSegment.objects.get_or_create(source=source, name=path.name)
        if segment.finished_at is None:
            new += _ship_segment(path, segment)
            if path != found[-1]:
                segment.finished_at = now
                segment.save(update_fields=["finished_at"])
        elif segment.finished_at + retention < now:
            path.unlink()
            SpoolSegment.objects.filter(pk=segment.pk).update(deleted_at=now)
    endings.note(folder, source, ended=ended, now=now)
    SpoolSource.objects.filter(pk=source.pk).update(watermark=now, ended_boot=ended)
    return new


def _ship_segment(path: Path, segment: SpoolSegment) -> int:
    """Ship one segment from where the ledger says."""
    new = 0
    with path.open("rb") as file:
        while chunk := whole_lines(file, offset=segment.offset):
            new += _ship_chunk(chunk, segment, quarantine=path.parent / QUARANTINE)
    return new


@transaction.atomic
def _ship_chunk(chunk: bytes, segment: SpoolSegment, *, quarantine: Path) -> int:
    end = segment.offset + len(chunk)
    unmoved = SpoolSegment.objects.filter(pk=segment.pk, offset=segment.offset)
    if not unmoved.update(offset=end):
        raise RuntimeError(f"Somebody else ships {segment.name}. Stop one of the two shippers.")
    new = _record(list(_events(chunk, quarantine)), segment.source_id, quarantine)
    segment.offset = end
    return new


def _events(chunk: bytes, quarantine: Path) -> Iterator[UsageEvent]:
    for line in chunk.splitlines(keepends=True):
        line = line.lstrip(b"\0")
        try:
            yield UsageEvent.from_line(line)
        except ValueError as error:
            _set_aside(line, quarantine, error)


def _record(events: Sequence[UsageEvent], source_id: int, quarantine: Path) -> int:
    """Record a batch; when the database refuses it, find the events it refuses."""
    try:
        with transaction.atomic():
            return ledger.record(events, source_id=source_id)
    except (DataError, ValueError, OverflowError) as error:
        if len(events) == 1:
            _set_aside(events[0].to_line(), quarantine, error)
            return 0
    middle = len(events) // 2
    return sum(_record(part, source_id, quarantine) for part in (events[:middle], events[middle:]))


def _set_aside(line: bytes, quarantine: Path, error: Exception) -> None:
    """Keep what can't be counted where people find it; it blocks nobody."""
    logger.error("a usage line that can't be recorded went to %s: %s", quarantine, error)
    with quarantine.open("ab") as file:
        file.write(line)
