"""The ledger's months: made ahead of time, dropped whole.

A partition holds the ids of one month (the first 48 bits of a UUIDv7 are its milliseconds). An id
of another kind, or of a month nobody made, is kept in the partition "other".
"""

from datetime import UTC, datetime

from django.db import connection, transaction

from hosting.metering import closing
from hosting.models import ChainDay

AHEAD = 3


class NotYet(Exception):
    """The month can't be dropped; the message says what has to happen first."""


def ensure(*, now: datetime) -> list[str]:
    """Make the partitions of this month and the next three; returns the names of new ones."""
    made = []
    start = month_of(now)
    for _ in range(AHEAD + 1):
        end = next_month(start)
        if _make(start, end):
            made.append(name_of(start))
        start = end
    return made


def drop(month: datetime, *, now: datetime) -> int:
    """Drop one month's records; its rollups stay. Returns how many records went.

    Only for a month that is closed: the rollups must have been made from these records.
    """
    start, end = month_of(month), next_month(month_of(month))
    if closing.closed_until() < end:
        raise NotYet(f"{start:%B %Y} is not closed yet. Drop it once its last hour is.")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {name_of(start)}")  # noqa: S608
        count = int(cursor.fetchone()[0])
        cursor.execute(f"DROP TABLE {name_of(start)}")
        ChainDay.objects.filter(day__gte=start.date(), day__lt=end.date()).update(dropped_at=now)
    return count


def name_of(month: datetime) -> str:
    """The table of a month."""
    return f"hosting_usagerecord_{month:%Y_%m}"


def month_of(moment: datetime) -> datetime:
    """The first moment of the month (UTC)."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(start: datetime) -> datetime:
    """The first moment of the month after."""
    return (
        start.replace(year=start.year + 1, month=1)
        if start.month == 12
        else start.replace(month=start.month + 1)
    )


def first_id(moment: datetime) -> str:
    """The smallest UUIDv7 minted at this moment."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"


@transaction.atomic
def _make(start: datetime, end: datetime) -> bool:
    """Make one partition, unless it exists or "other" already holds records of its range."""
    low, high = first_id(start), first_id(end)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [name_of(start)])
        if cursor.fetchone()[0] is not None:
            return False
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM hosting_usagerecord_other WHERE id >= %s AND id < %s)",
            [low, high],
        )
        if cursor.fetchone()[0]:
            return False
        cursor.execute(
            f"CREATE TABLE {name_of(start)} PARTITION OF hosting_usagerecord"
            f" FOR VALUES FROM ('{low}') TO ('{high}')"
        )
    return True
