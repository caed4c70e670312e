"""Compare what the routers wrote with what the ledger has, as long as the spools are kept."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from django.db import connection, transaction

from hosting.metering import chain
from hosting.metering.spools import events, identity, routers, segments
from hosting.metering.verify import Finding
from hosting.models import SpoolSegment, SpoolSource

_MOST_NAMED = 1_000

_TABLE = """
CREATE TEMPORARY TABLE spooled (id uuid, source_id integer, team_id bigint, said text)
ON COMMIT DROP
"""

# What came late is the ledger's to say, not the router's: the last field is left out.
_SAID = f"regexp_replace({chain.CONTENT_SQL}, '\t[0-9]+$', '')"

_MISSING = """
SELECT spooled.id, spooled.team_id FROM spooled
LEFT JOIN hosting_usagerecord AS record USING (id) WHERE record.id IS NULL LIMIT %s
"""

_CHANGED = f"""
SELECT id, team_id FROM (
    SELECT record.*, spooled.said FROM spooled JOIN hosting_usagerecord AS record USING (id)
) AS pair WHERE said <> {_SAID} LIMIT %s
"""  # noqa: S608

_ADDED = """
SELECT record.id, record.team_id FROM hosting_usagerecord AS record
LEFT JOIN spooled USING (id)
WHERE record.source_id = %s AND record.arrived_at > %s AND record.arrived_at < %s
    AND spooled.id IS NULL LIMIT %s
"""


class _Kept(NamedTuple):
    """What a router's folder still holds."""

    source_id: int
    since: datetime  # whatever arrived later was written to a segment that is still there
    until: datetime
    lines: int


@transaction.atomic
def compare(spool: Path) -> tuple[int, list[Finding]]:
    """Read every shipped line of a spool; returns how many, and what doesn't agree."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLE)
    kept = [each for folder in routers(spool) if (each := _load(folder, spool)) is not None]
    findings = list(_differences(kept))
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE spooled")
    return sum(each.lines for each in kept), findings


def _differences(kept: list[_Kept]) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE spooled")
        cursor.execute(_MISSING, [_MOST_NAMED])
        for record_id, team_id in cursor.fetchall():
            yield Finding("missing", f"Request {record_id} was spooled, not recorded.", team_id)
        cursor.execute(_CHANGED, [_MOST_NAMED])
        for record_id, team_id in cursor.fetchall():
            yield Finding("tampered", f"Request {record_id} is not as it was spooled.", team_id)
        for each in kept:
            cursor.execute(_ADDED, [each.source_id, each.since, each.until, _MOST_NAMED])
            for record_id, team_id in cursor.fetchall():
                yield Finding("added", f"Request {record_id} was never spooled.", team_id)


def _load(folder: Path, spool: Path) -> _Kept | None:
    source = SpoolSource.objects.filter(spool_id=identity(spool), router=folder.name).first()
    if source is None:
        return None
    shipped = dict(SpoolSegment.objects.filter(source=source).values_list("name", "offset"))
    first_end, last, lines = 0.0, 0.0, 0
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY spooled (id, source_id, team_id, said) FROM STDIN") as copy,
    ):
        for path in segments(folder):
            for event in events(path, until=shipped.get(path.name, 0)):
                arrived_us = round(event.arrived_at * 1_000_000)
                said = chain.content(event, arrived_us=arrived_us).decode().rpartition("\t")[0]
                copy.write_row((event.id, source.pk, event.team_id, said))
                ended = event.arrived_at + (event.held_ms + event.model_ms) / 1000
                first_end, last = first_end or ended, max(last, event.arrived_at)
                lines += 1
    if not lines:
        return None
    since = datetime.fromtimestamp(first_end, UTC) + timedelta(seconds=1)
    return _Kept(source.pk, since, datetime.fromtimestamp(last, UTC), lines)
