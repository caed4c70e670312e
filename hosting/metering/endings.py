"""Router processes that have ended: proved by the lock that only a living one holds.

The kernel lets go of a spool's lock when its process ends, however it ends. What is proved here
holds on this host only; a host that is gone proves nothing, and is retired by hand.
"""

import fcntl
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from django.db import transaction

from hosting.metering.spools import events, segments
from hosting.models import RouterKill, SpoolSource, UnconfirmedRequest
from hosting.wire import SPOOL_MARK, Outcome, UsageEvent, mark_path

_ANSWERED = (Outcome.OK, Outcome.MODEL_ERROR)
_COSTING = ("query", "other")


def last_ended(folder: Path) -> int:
    """The number of the last process of this router's place that has surely ended."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        # For an instant only, and hardly ever: a router that starts just now takes another place.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return max(0, _boots(folder) - 1)  # whoever lives has counted itself, or will
    else:
        return _boots(folder)
    finally:
        os.close(handle)


def note(folder: Path, source: SpoolSource, *, ended: int, now: datetime) -> None:
    """Keep which requests may not have been received, of processes that were killed.

    `ended`: the last process that has ended, and all of whose lines are in the ledger.
    """
    for path in sorted(folder.glob("boot-*.mark")):
        boot = int(path.stem.partition("-")[2])
        if boot <= ended:
            _note(folder, source, boot=boot, now=now)
            path.unlink()


@transaction.atomic
def _note(folder: Path, source: SpoolSource, *, boot: int, now: datetime) -> None:
    said = mark_path(folder, boot).read_bytes()
    if len(said) != SPOOL_MARK.size:  # a power cut took it
        return
    segment, offset, last, connections = SPOOL_MARK.unpack(said)
    kill, _ = RouterKill.objects.get_or_create(
        source=source, boot=boot, defaults={"found_at": now, "connections": connections}
    )
    found = _after(folder, segment=segment, offset=offset, last=last)
    UnconfirmedRequest.objects.bulk_create(
        [_row(kill, each) for each in found if _may_cost(each)], ignore_conflicts=True
    )


def _after(folder: Path, *, segment: int, offset: int, last: int) -> Iterator[UsageEvent]:
    for path in segments(folder):
        number = int(path.stem)
        if segment <= number <= last:
            since = offset if number == segment else 0
            yield from events(path, since=since, until=path.stat().st_size)


def _may_cost(event: UsageEvent) -> bool:
    return event.outcome in _ANSWERED and event.route in _COSTING


def _row(kill: RouterKill, event: UsageEvent) -> UnconfirmedRequest:
    return UnconfirmedRequest(
        request_id=event.id,
        kill=kill,
        team_id=event.team_id,
        model_id=event.model_id,
        token_id=event.token_id,
        arrived_at=datetime.fromtimestamp(event.arrived_at, UTC),
        status=event.status,
        counted=event.counted,
    )


def _boots(folder: Path) -> int:
    path = folder / "boots"
    return int(path.read_text() or 0) if path.exists() else 0  # a power cut empties it
