"""Find every record that was changed, lost, doubled or added, and name it.

Three witnesses are compared: the routers' spools (as long as they are kept), the ledger with its
chains, and the rollups. Each comparison is one statement, so what is written meanwhile can't make
it disagree with itself. Nothing is repaired here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection
from django.db.backends.utils import CursorWrapper

from hosting.metering import chain, closing, rollups
from hosting.models import ChainDay, ClosedHour

_DAY = timedelta(days=1)
_ROWS = 5_000  # at once in memory


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that doesn't agree."""

    kind: str  # "tampered", "missing", "doubled", "added", "rollup", "invoice"
    what: str
    team_id: int | None = None


_LINKS = f"""
SELECT id, position, {chain.CONTENT_SQL}, digest FROM hosting_usagerecord
WHERE team_id = %(team_id)s AND arrived_at >= %(start)s AND arrived_at < %(end)s
    AND position <= %(length)s
ORDER BY position, id
"""  # noqa: S608

# Beside every chain: on a day without one, or beyond its end.
_UNCHAINED = """
SELECT record.id, record.team_id FROM hosting_usagerecord AS record
LEFT JOIN hosting_chainday AS chain ON chain.team_id = record.team_id
    AND chain.day = (record.arrived_at AT TIME ZONE 'UTC')::date
WHERE record.arrived_at >= %(start)s AND record.arrived_at < %(end)s
    AND (chain.id IS NULL OR record.position > chain.length)
"""

_MINUTES = """
SELECT coalesce(ledger.team_id, told.team_id), coalesce(ledger.model_id, told.model_id),
    coalesce(ledger.minute, told.minute), coalesce(ledger.requests, 0), coalesce(told.requests, 0)
FROM (
    SELECT min(team_id) AS team_id, model_id, date_trunc('minute', arrived_at) AS minute,
        count(*) FILTER (WHERE counted) AS requests,
        count(*) FILTER (WHERE counted AND status >= 400) AS errors,
        count(*) FILTER (WHERE counted AND cold) AS cold,
        coalesce(sum(model_ms) FILTER (WHERE counted), 0) AS model_ms,
        coalesce(sum(held_ms) FILTER (WHERE counted), 0) AS held_ms
    FROM hosting_usagerecord WHERE arrived_at >= %(start)s AND arrived_at < %(end)s
    GROUP BY model_id, minute
) AS ledger
FULL JOIN (
    SELECT * FROM hosting_usageminute WHERE minute >= %(start)s AND minute < %(end)s
) AS told ON told.model_id = ledger.model_id AND told.minute = ledger.minute
WHERE (ledger.requests, ledger.errors, ledger.cold, ledger.model_ms, ledger.held_ms)
    IS DISTINCT FROM (told.requests, told.errors, told.cold, told.model_ms, told.held_ms)
ORDER BY 3, 2
"""

_CLEAN_MODELS = """
SELECT coalesce(array_agg(DISTINCT model_id), '{}') FROM (
    SELECT model_id FROM hosting_usagehour WHERE hour = %(start)s
    UNION SELECT model_id FROM hosting_usageminute
    WHERE minute >= %(start)s AND minute < %(start)s + interval '1 hour'
) AS known WHERE NOT EXISTS (SELECT 1 FROM hosting_dirtyhour AS dirty
    WHERE dirty.hour = %(start)s AND dirty.model_id = known.model_id)
"""

_HOUR = f"""
WITH ledger AS ({rollups.OF_LEDGER}), told AS (
    SELECT {rollups.COLUMNS} FROM hosting_usagehour
    WHERE hour = %(start)s AND model_id = ANY(%(models)s)
)
SELECT DISTINCT team_id, model_id FROM (
    (TABLE ledger EXCEPT ALL TABLE told) UNION ALL (TABLE told EXCEPT ALL TABLE ledger)
) AS different
WHERE NOT EXISTS (SELECT 1 FROM hosting_dirtyhour AS dirty
    WHERE dirty.hour = %(start)s AND dirty.model_id = different.model_id)
"""  # noqa: S608

_DAYS = """
SELECT coalesce(hours.team_id, days.team_id), coalesce(hours.model_id, days.model_id),
    coalesce(hours.day, days.day)
FROM (
    SELECT team_id, model_id, date_trunc('day', hour, 'UTC') AS day, sum(requests) AS requests,
        sum(counted) AS counted, sum(model_ms) AS model_ms
    FROM hosting_usagehour WHERE hour >= %(start)s AND hour < %(end)s GROUP BY 1, 2, 3
) AS hours
FULL JOIN (
    SELECT team_id, model_id, day, sum(requests) AS requests, sum(counted) AS counted,
        sum(model_ms) AS model_ms
    FROM hosting_usageday WHERE day >= %(start)s AND day < %(end)s GROUP BY 1, 2, 3
) AS days ON days.team_id = hours.team_id AND days.model_id = hours.model_id
    AND days.day = hours.day
WHERE (hours.requests, hours.counted, hours.model_ms)
    IS DISTINCT FROM (days.requests, days.counted, days.model_ms)
"""


@dataclass
class Tally:
    """How much was looked at."""

    records: int = 0
    rollup_rows: int = 0


def ledger(*, since: date, until: date, tally: Tally) -> Iterator[Finding]:
    """Walk every chain of the days [since, until)."""
    days = ChainDay.objects.filter(day__gte=since, day__lt=until, dropped_at=None)
    for day in days.order_by("day", "team_id"):
        yield from _chain(day, tally)
    with connection.cursor() as cursor:
        cursor.execute(_UNCHAINED, _window(since, until))
        for record_id, team_id in cursor.fetchall():
            yield Finding("added", f"Request {record_id} is in no chain.", team_id)


def sums(*, since: date, until: date, tally: Tally) -> Iterator[Finding]:
    """Compare minutes, hours and days with what they are made of."""
    window = _window(_oldest_kept(since, until), until)
    with connection.cursor() as cursor:
        cursor.execute(_MINUTES, window)
        for team_id, model_id, minute, right, told in cursor.fetchall():
            words = f"Model {model_id}, minute {minute:%F %H:%M}: {told} requests, not {right}."
            yield Finding("rollup", words, team_id)
    yield from _hours(window["start"], window["end"], tally)
    yield from _seals(_window(since, until))
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, _window(since, until))
        for team_id, model_id, day in cursor.fetchall():
            words = f"Model {model_id}, day {day:%F}: it isn't the sum of its hours."
            yield Finding("rollup", words, team_id)


def _chain(day: ChainDay, tally: Tally) -> Iterator[Finding]:
    start = datetime.combine(day.day, time(), UTC)
    given: dict[str, int | datetime] = {
        "team_id": day.team_id,
        "start": start,
        "end": start + _DAY,
        "length": day.length,
    }
    where = f"of {day.day:%F}"
    with connection.chunked_cursor() as cursor:
        cursor.execute(_LINKS, given)
        links = _links(cursor, tally)
        for found in chain.breaks(links, length=day.length, head=bytes(day.head)):
            yield Finding(found.kind, _words(found, where), day.team_id)


def _links(cursor: CursorWrapper, tally: Tally) -> Iterator[chain.Link]:
    while rows := cursor.fetchmany(_ROWS):
        tally.records += len(rows)
        for record_id, position, said, digest in rows:
            yield chain.Link(str(record_id), position, said.encode(), bytes(digest))


def _words(found: chain.Break, where: str) -> str:
    if found.kind == "missing":
        return f"Request number {found.position} {where} is missing from the ledger."
    if found.kind == "doubled":
        return f"Request {found.id} takes the place {found.position} {where} a second time."
    if not found.id:
        return f"The chain {where} does not end as it did when it was written."
    return f"Request {found.id} (number {found.position} {where}) was changed."


def _hours(start: datetime, end: datetime, tally: Tally) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT hour FROM hosting_usagehour WHERE hour >= %(start)s AND hour < %(end)s"
            " UNION SELECT DISTINCT date_trunc('hour', minute, 'UTC') FROM hosting_usageminute"
            " WHERE minute >= %(start)s AND minute < %(end)s AND minute >="
            " (SELECT closed_until FROM hosting_ledgerclock) ORDER BY 1",
            {"start": start, "end": end},
        )
        hours = [row[0] for row in cursor.fetchall()]
        for hour in hours:
            cursor.execute(_CLEAN_MODELS, {"start": hour})
            models = cursor.fetchone()[0]
            tally.rollup_rows += len(models)
            cursor.execute(_HOUR, {"start": hour, "models": models})
            for team_id, model_id in cursor.fetchall():
                words = f"Model {model_id}, hour {hour:%F %H:%M}: the rollup isn't what"
                yield Finding("rollup", f"{words} the ledger adds up to.", team_id)


def _seals(window: dict[str, datetime]) -> Iterator[Finding]:
    """A closed hour says what it said when it was closed."""
    closed = ClosedHour.objects.filter(hour__gte=window["start"], hour__lt=window["end"])
    for each in closed.order_by("hour"):
        if closing.checksum(each.hour) != each.checksum:
            words = f"Hour {each.hour:%F %H:%M}: its rollup has changed since it was closed."
            yield Finding("rollup", words)


def _oldest_kept(since: date, until: date) -> date:
    """The first day whose records have not been dropped."""
    dropped = ChainDay.objects.filter(day__gte=since, day__lt=until).exclude(dropped_at=None)
    last = dropped.order_by("-day").values_list("day", flat=True).first()
    return since if last is None else last + _DAY


def _window(since: date, until: date) -> dict[str, datetime]:
    return {
        "start": datetime.combine(since, time(), UTC),
        "end": datetime.combine(until, time(), UTC),
    }
