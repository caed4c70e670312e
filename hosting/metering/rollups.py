"""Hours and days: a pure function of the ledger, rebuilt whole and never added to.

A batch marks the hours it touched (`DirtyHour`); `refresh` rebuilds those, then their days.
Running it twice, late or in two places changes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from hosting.models import DirtyHour

HOUR = timedelta(hours=1)
_LOCK = 0x646D  # of advisory locks: one rebuild of an hour at a time

_KEYS = "team_id, model_id, revision_id, token_id, route, status, outcome, late"
_SUMS = "requests, counted, cold, model_ms, counted_ms, held_ms, cold_held_ms, bytes_in, bytes_out"
_HISTOGRAM = "model_buckets, held_buckets, counts"
COLUMNS = f"{_KEYS}, {_SUMS}, {_HISTOGRAM}"

# `late`: it belongs to a month that may be invoiced already. Within a month nobody needs to know.
_CELLS_OF_LEDGER = """
SELECT team_id, model_id, revision_id, token_id, route, status, outcome,
    late_hour IS NOT NULL AND date_trunc('month', late_hour, 'UTC')
        <> date_trunc('month', arrived_at, 'UTC') AS late,
    floor(4 * ln(model_ms + 1.0::float8) / ln(2.0::float8))::smallint AS model_bucket,
    floor(4 * ln(held_ms + 1.0::float8) / ln(2.0::float8))::smallint AS held_bucket,
    count(*) AS requests,
    count(*) FILTER (WHERE counted) AS counted,
    count(*) FILTER (WHERE cold) AS cold,
    sum(model_ms) AS model_ms,
    coalesce(sum(model_ms) FILTER (WHERE counted), 0) AS counted_ms,
    sum(held_ms) AS held_ms,
    coalesce(sum(held_ms) FILTER (WHERE cold), 0) AS cold_held_ms,
    sum(bytes_in) AS bytes_in, sum(bytes_out) AS bytes_out
FROM (
    SELECT * FROM hosting_usagerecord
    WHERE model_id = ANY(%(models)s) AND late_hour IS NULL
        AND arrived_at >= %(start)s AND arrived_at < %(start)s + interval '1 hour'
    UNION ALL
    SELECT * FROM hosting_usagerecord
    WHERE model_id = ANY(%(models)s) AND late_hour = %(start)s
) AS event
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""

_CELLS_OF_HOURS = f"""
SELECT {_KEYS}, model_bucket, held_bucket, sum(cells.count) AS requests,
    0 AS counted, 0 AS cold, 0 AS model_ms, 0 AS counted_ms, 0 AS held_ms, 0 AS cold_held_ms,
    0 AS bytes_in, 0 AS bytes_out
FROM hosting_usagehour,
    unnest(model_buckets, held_buckets, counts) AS cells (model_bucket, held_bucket, count)
WHERE model_id = ANY(%(models)s)
    AND hour >= %(start)s AND hour < %(start)s + interval '1 day'
GROUP BY {_KEYS}, model_bucket, held_bucket
UNION ALL
SELECT {_KEYS}, NULL, NULL, 0, sum(counted), sum(cold), sum(model_ms), sum(counted_ms),
    sum(held_ms), sum(cold_held_ms), sum(bytes_in), sum(bytes_out)
FROM hosting_usagehour
WHERE model_id = ANY(%(models)s)
    AND hour >= %(start)s AND hour < %(start)s + interval '1 day'
GROUP BY {_KEYS}
"""  # noqa: S608


def _rows(cells: str) -> str:
    """Sum cells of the histogram to rollup rows."""
    sums = ", ".join(f"sum({name})::bigint AS {name}" for name in _SUMS.split(", "))
    present = "ORDER BY model_bucket, held_bucket) FILTER (WHERE model_bucket IS NOT NULL)"
    return f"""
    SELECT {_KEYS}, {sums},
        array_agg(model_bucket {present} AS model_buckets,
        array_agg(held_bucket {present} AS held_buckets,
        array_agg(requests::integer {present} AS counts
    FROM ({cells}) AS cell GROUP BY {_KEYS}
    """  # noqa: S608


OF_LEDGER = _rows(_CELLS_OF_LEDGER)
OF_HOURS = _rows(_CELLS_OF_HOURS)


def refresh() -> int:
    """Rebuild every marked hour and its day; returns how many hours of models that were."""
    marked: dict[datetime, list[tuple[int, int]]] = defaultdict(list)
    for model_id, hour, version in DirtyHour.objects.order_by("hour").values_list(
        "model_id", "hour", "version"
    ):
        marked[hour].append((model_id, version))
    days: dict[datetime, dict[datetime, list[tuple[int, int]]]] = defaultdict(dict)
    for hour, marks in marked.items():
        days[_day(hour)][hour] = marks
    for day, hours in days.items():
        with transaction.atomic():
            _lock(day)
            for hour, marks in hours.items():
                _rebuild_hour(hour, models=sorted(model_id for model_id, _ in marks))
            _rebuild_day(day, models=sorted({m for marks in hours.values() for m, _ in marks}))
        for hour, marks in hours.items():
            _unmark(hour, marks)
    return sum(map(len, marked.values()))


@transaction.atomic
def rebuild(hour: datetime, *, model_ids: Iterable[int]) -> None:
    """Make the rollup of an hour, and of its day, anew for these models."""
    models, day = sorted(model_ids), _day(hour)
    _lock(day)
    _rebuild_hour(hour, models=models)
    _rebuild_day(day, models=models)


def _day(hour: datetime) -> datetime:
    return hour.astimezone(UTC).replace(hour=0)


def _rebuild_hour(hour: datetime, *, models: list[int]) -> None:
    _replace("hosting_usagehour", "hour", OF_LEDGER, models=models, start=hour)


def _rebuild_day(day: datetime, *, models: list[int]) -> None:
    _replace("hosting_usageday", "day", OF_HOURS, models=models, start=day)


def _lock(day: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, int(day.timestamp()) // 86_400]
        )


def _replace(table: str, column: str, rows: str, *, models: list[int], start: datetime) -> None:
    given: dict[str, list[int] | datetime] = {"models": models, "start": start}
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE model_id = ANY(%(models)s) AND {column} = %(start)s",  # noqa: S608
            given,
        )
        cursor.execute(
            f"INSERT INTO {table} ({COLUMNS}, {column})"  # noqa: S608
            f" SELECT row.*, %(start)s FROM ({rows}) AS row",
            given,
        )


def _unmark(hour: datetime, marks: list[tuple[int, int]]) -> None:
    """Remove the marks that nobody has renewed meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM hosting_dirtyhour WHERE hour = %s AND (model_id, version) IN"
            " (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))",
            [hour, [model_id for model_id, _ in marks], [version for _, version in marks]],
        )
