"""Close hours: from then on they take no more records, and invoices may be made of them.

An hour closes when every router's spool has been carried into the ledger up to five minutes after
its end. What arrives later keeps its time of arrival and is billed in the first hour still open.
"""

from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Min

from hosting.metering import rollups
from hosting.models import ClosedHour, LedgerClock, SpoolSource, UsageHour

GRACE = timedelta(minutes=5)

_CHECKSUM = f"""
SELECT encode(sha256(convert_to(coalesce(
    string_agg(line, E'\\n' ORDER BY line COLLATE "C"), ''), 'UTF8')), 'hex')
FROM (SELECT concat_ws(E'\\t', {rollups.COLUMNS}) AS line FROM hosting_usagehour WHERE hour = %s)
    AS rows
"""  # noqa: S608


def close_hours(*, now: datetime) -> int:
    """Close what can be closed; returns how many hours with records that were. Repeatable."""
    target = _hour(watermark(now=now) - GRACE)
    # Waits for every batch under way, and none can begin in an hour that this closes.
    LedgerClock.objects.filter(pk=1, closed_until__lt=target).update(closed_until=target)
    pending = _unsealed(before=closed_until())
    for hour in pending:
        _seal(hour, now=now)
    return len(pending)


def closed_until() -> datetime:
    """The first moment that still takes records."""
    clock = LedgerClock.objects.filter(pk=1).first()
    return clock.closed_until if clock else datetime(1970, 1, 1, tzinfo=UTC)


def watermark(*, now: datetime) -> datetime:
    """Until when the ledger has everything that every router wrote."""
    sources = SpoolSource.objects.filter(retired_at=None)
    if sources.filter(watermark=None).exists():
        return datetime(2000, 1, 1, tzinfo=UTC)
    slowest: datetime | None = sources.aggregate(slowest=Min("watermark"))["slowest"]
    return min(slowest, now) if slowest else now


def checksum(hour: datetime) -> str:
    """The checksum of an hour's rollup as it is now."""
    with connection.cursor() as cursor:
        cursor.execute(_CHECKSUM, [hour])
        return str(cursor.fetchone()[0])


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _unsealed(*, before: datetime) -> list[datetime]:
    """Closed hours with records that have no seal yet: also those a crash left behind."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hour FROM (SELECT hour FROM hosting_dirtyhour WHERE hour < %(before)s"
            " UNION SELECT hour FROM hosting_usagehour WHERE hour < %(before)s) AS found"
            " WHERE NOT EXISTS (SELECT 1 FROM hosting_closedhour AS closed"
            " WHERE closed.hour = found.hour) ORDER BY hour",
            {"before": before},
        )
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def _seal(hour: datetime, *, now: datetime) -> None:
    rollups.rebuild(hour, model_ids=_models_of(hour))
    sums = [
        (requests, counted)
        for requests, counted in UsageHour.objects.filter(hour=hour).values_list(
            "requests", "counted"
        )
    ]
    ClosedHour.objects.bulk_create(
        [
            ClosedHour(
                hour=hour,
                closed_at=now,
                requests=sum(requests for requests, _ in sums),
                counted=sum(counted for _, counted in sums),
                checksum=checksum(hour),
            )
        ],
        ignore_conflicts=True,
    )


def _models_of(hour: datetime) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT model_id FROM hosting_dirtyhour WHERE hour = %(hour)s"
            " UNION SELECT model_id FROM hosting_usagehour WHERE hour = %(hour)s",
            {"hour": hour},
        )
        return [row[0] for row in cursor.fetchall()]
