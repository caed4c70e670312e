"""Insert usage events into the ledger, exactly once, and keep its chains and minutes in step.

Everything a batch changes moves in one transaction, the shipper's offset included. Writers of the
same team's day take turns on its `ChainDay` row, so what is new is decided once.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

from hosting.metering import chain
from hosting.models import LedgerClock
from hosting.wire import UsageEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_COPY = """
COPY hosting_usagerecord (id, model_id, team_id, revision_id, token_id, route, method, status,
    outcome, counted, cold, arrived_at, held_ms, model_ms, bytes_in, bytes_out,
    source_id, late_hour, position, digest)
FROM STDIN
"""

_ADD_TO_MINUTES = """
INSERT INTO hosting_usageminute
    (model_id, team_id, minute, requests, errors, cold, model_ms, held_ms)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::integer[], %s::integer[],
    %s::integer[], %s::bigint[], %s::bigint[])
ON CONFLICT (model_id, minute) DO UPDATE SET
    requests = hosting_usageminute.requests + excluded.requests,
    errors = hosting_usageminute.errors + excluded.errors,
    cold = hosting_usageminute.cold + excluded.cold,
    model_ms = hosting_usageminute.model_ms + excluded.model_ms,
    held_ms = hosting_usageminute.held_ms + excluded.held_ms
"""

_MARK_DIRTY = """
INSERT INTO hosting_dirtyhour (model_id, hour, version)
SELECT *, 1 FROM unnest(%s::bigint[], %s::timestamptz[])
ON CONFLICT (hour, model_id) DO UPDATE SET version = hosting_dirtyhour.version + 1
"""

_TOKENS_USED = """
UPDATE hosting_endpointtoken SET last_used_at = used.at
FROM (SELECT unnest(%s::bigint[]) AS id, unnest(%s::timestamptz[]) AS at) AS used
WHERE hosting_endpointtoken.id = used.id
    AND (last_used_at IS NULL OR last_used_at < used.at)
"""

Day = tuple[int, date]  # a team's


@dataclass(slots=True)
class _Chain:
    """The end of one day's chain while a batch is added to it."""

    length: int
    head: bytes


@dataclass(slots=True)
class _Batch:
    """What the new events of a batch add up to."""

    minutes: dict[tuple[int, datetime], list[int]] = field(default_factory=dict)
    hours: set[tuple[datetime, int]] = field(default_factory=set)
    last_used: dict[int, datetime] = field(default_factory=dict)

    def add(self, event: UsageEvent, *, arrived_at: datetime, hour: datetime) -> None:
        """Count one event."""
        minute = arrived_at.replace(second=0, microsecond=0)
        sums = self.minutes.setdefault((event.model_id, minute), [event.team_id, 0, 0, 0, 0, 0])
        if event.counted:
            sums[1] += 1
            sums[2] += event.status >= 400
            sums[3] += event.cold
            sums[4] += event.model_ms
            sums[5] += event.held_ms
        self.hours.add((hour, event.model_id))
        if event.token_id and arrived_at > self.last_used.get(event.token_id, _EPOCH):
            self.last_used[event.token_id] = arrived_at


@transaction.atomic
def record(events: Sequence[UsageEvent], *, source_id: int = 0) -> int:
    """Store a batch; returns how many were new. A repeat of any event adds nothing."""
    if not events:
        return 0
    timed = [(event, _arrival(event)) for event in {event.id: event for event in events}.values()]
    closed_until = _hold_clock()
    chains = _lock_chains({(event.team_id, at.date()) for event, at in timed})
    known = _known([event.id for event, _ in timed])
    new = [each for each in timed if each[0].id not in known]
    if new:
        batch = _copy(new, chains, closed_until=closed_until, source_id=source_id)
        _store_chains(chains)
        _store_sums(batch)
    return len(new)


def _arrival(event: UsageEvent) -> datetime:
    return _EPOCH + timedelta(microseconds=round(event.arrived_at * 1_000_000))


def _hold_clock() -> datetime:
    """Read what is closed; it stays so until this transaction ends."""
    held = "SELECT closed_until FROM hosting_ledgerclock WHERE id = 1 FOR SHARE"
    with connection.cursor() as cursor:
        cursor.execute(held)
        row = cursor.fetchone()
        if row is None:
            LedgerClock.objects.bulk_create(
                [LedgerClock(pk=1, closed_until=_EPOCH)], ignore_conflicts=True
            )
            cursor.execute(held)
            row = cursor.fetchone()
    closed_until: datetime = row[0]
    return closed_until


def _lock_chains(days: set[Day]) -> dict[Day, _Chain]:
    """Lock the ends of these chains, always in the same order."""
    wanted = sorted(days)
    teams, dates = [team for team, _ in wanted], [day for _, day in wanted]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO hosting_chainday (team_id, day, length, head)"
            " SELECT *, 0, ''::bytea FROM unnest(%s::bigint[], %s::date[]) ON CONFLICT DO NOTHING",
            [teams, dates],
        )
        cursor.execute(
            "SELECT team_id, day, length, head FROM hosting_chainday"
            " WHERE (team_id, day) IN (SELECT * FROM unnest(%s::bigint[], %s::date[]))"
            " ORDER BY team_id, day FOR UPDATE",
            [teams, dates],
        )
        return {(row[0], row[1]): _Chain(row[2], bytes(row[3])) for row in cursor.fetchall()}


def _known(ids: list[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM hosting_usagerecord WHERE id = ANY(%s::uuid[])", [ids])
        return {str(row[0]) for row in cursor.fetchall()}


def _copy(
    new: Iterable[tuple[UsageEvent, datetime]],
    chains: Mapping[Day, _Chain],
    *,
    closed_until: datetime,
    source_id: int,
) -> _Batch:
    batch, late = _Batch(), int(closed_until.timestamp())
    lines: list[bytes] = []
    for event, at in new:
        hour = at.replace(minute=0, second=0, microsecond=0)
        in_time = hour >= closed_until
        arrived_us = (at - _EPOCH) // _MICROSECOND
        said = chain.content(event, arrived_us=arrived_us, late_hour=0 if in_time else late)
        end = chains[event.team_id, at.date()]
        end.head = chain.link(end.head, said)
        end.length += 1
        fields = said.replace(b"\\", b"\\\\").split(b"\t")
        fields[11] = at.isoformat().encode()
        fields[16:] = [
            b"%d" % source_id,
            b"\\N" if in_time else closed_until.isoformat().encode(),
            b"%d" % end.length,
            b"\\\\x" + end.head.hex().encode(),
        ]
        lines.append(b"\t".join(fields) + b"\n")
        batch.add(event, arrived_at=at, hour=hour if in_time else closed_until)
    # Django translates the errors of `execute` only.
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(_COPY) as copy,
    ):
        copy.write(b"".join(lines))
    return batch


def _store_chains(chains: Mapping[Day, _Chain]) -> None:
    rows = sorted(chains.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE hosting_chainday AS chain SET length = new.length, head = new.head"
            " FROM unnest(%s::bigint[], %s::date[], %s::integer[], %s::bytea[])"
            " AS new (team_id, day, length, head)"
            " WHERE chain.team_id = new.team_id AND chain.day = new.day",
            [
                [team for (team, _), _ in rows],
                [day for (_, day), _ in rows],
                [end.length for _, end in rows],
                [end.head for _, end in rows],
            ],
        )


def _store_sums(batch: _Batch) -> None:
    """Write the sums, in an order that is the same for every writer."""
    columns: dict[int, list[object]] = defaultdict(list)
    for (model_id, minute), (team_id, *sums) in sorted(batch.minutes.items()):
        for number, value in enumerate((model_id, team_id, minute, *sums)):
            columns[number].append(value)
    hours, tokens = sorted(batch.hours), sorted(batch.last_used.items())
    with connection.cursor() as cursor:
        cursor.execute(_ADD_TO_MINUTES, list(columns.values()))
        cursor.execute(_MARK_DIRTY, [[model for _, model in hours], [hour for hour, _ in hours]])
        cursor.execute(_TOKENS_USED, [[token for token, _ in tokens], [at for _, at in tokens]])
