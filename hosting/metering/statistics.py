"""What a model did and how fast: from 1 hour to 12 months, by status, revision and token.

Short windows read hours, long ones days, so a page costs the same for a day and for a year. Times
come from histograms with four buckets per doubling: a percentile is exact to about a tenth.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from hosting.metering.histogram import Times, times
from hosting.models import UsageRecord, Wake
from hosting.models.wake import WakeOutcome

_DAYS_FROM = timedelta(days=25)  # windows at least this long are read from days
# Compiling these statements takes longer than they do: without it a year takes half the time.
_QUICK = "SET LOCAL jit = off"
DIMENSIONS = {
    "model": "model_id",
    "status": "status",
    "revision": "revision_id",
    "token": "token_id",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of request in a window. `key`: the status, or the id of the revision or token."""

    key: int
    requests: int
    counted: int
    model_errors: int  # the model answered 5xx or died
    refused: int  # the platform answered: no room, no wake, too late
    aborted: int  # the caller hung up first
    cold: int
    bytes_in: int
    bytes_out: int
    mean_model_ms: float
    model: Times
    held: Times


@dataclass(frozen=True, slots=True)
class Wakes:
    """How waking went: the engine's part and the model's own."""

    count: int
    failed: int
    start: Times  # until the engine said that it runs
    ready: Times  # from then until the model answered
    whole: Times  # from being asked for


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when; `table` and `column` say which rollup answers."""

    since: datetime
    until: datetime

    @property
    def source(self) -> tuple[str, str]:
        """The rollup's table and its column of time."""
        if self.until - self.since >= _DAYS_FROM:
            return "hosting_usageday", "day"
        return "hosting_usagehour", "hour"


def summary(model_ids: list[int], *, since: datetime, until: datetime) -> Row:
    """Everything of these models in the window, in one row."""
    found = _rows(model_ids, Window(since, until), key="0")
    return found[0] if found else _EMPTY


def by(dimension: str, model_ids: list[int], *, since: datetime, until: datetime) -> list[Row]:
    """One row per status, revision or token, the busiest first."""
    return _rows(model_ids, Window(since, until), key=DIMENSIONS[dimension])


def wakes(model_id: int, *, since: datetime, until: datetime) -> Wakes:
    """How often the model woke in the window, and how long each phase took."""
    return wakes_of_many([model_id], since=since, until=until).get(model_id) or _wakes([])


def wakes_of_many(model_ids: list[int], *, since: datetime, until: datetime) -> dict[int, Wakes]:
    """The wakes of several models, by model id; of those only that woke or tried to."""
    found: dict[int, list[Wake]] = defaultdict(list)
    within = Wake.objects.filter(
        model_id__in=model_ids, ended_at__gte=since, ended_at__lt=until
    ).exclude(outcome=WakeOutcome.GIVEN_UP)
    for wake in within.order_by().defer("reason"):
        found[wake.model_id].append(wake)
    return {model_id: _wakes(those) for model_id, those in found.items()}


def _wakes(found: list[Wake]) -> Wakes:
    """The phases are of wakes that started a container; the whole is of every one."""
    woken = [wake for wake in found if wake.outcome == WakeOutcome.AWAKE]
    started = [
        (wake.prepared_at, wake.started_at, wake.ended_at)
        for wake in woken
        if wake.prepared_at and wake.started_at
    ]
    return Wakes(
        count=len(woken),
        failed=len(found) - len(woken),
        start=Times.of([_ms(ran - made) for made, ran, _ in started]),
        ready=Times.of([_ms(end - ran) for _, ran, end in started]),
        whole=Times.of([wake.seconds * 1000 for wake in woken]),
    )


def series_in_zone(
    model_ids: list[int], *, since: datetime, until: datetime, step: str, zone: str
) -> list[tuple[datetime, int, int]]:
    """Requests and errors per day, week or month of a time zone, gaps filled; errors: 4xx, 5xx.

    Hours are enough where the zone's offset is whole hours. Elsewhere its days begin within an
    hour, and minutes are read.
    """
    table, column = _finest(since, zone)
    if zone == "UTC" and step != "hour" and until - since >= _DAYS_FROM:
        table, column = "hosting_usageday", "day"
    errors = "errors" if table == "hosting_usageminute" else _ERRORS_OF_HOUR
    requests = "requests" if table == "hosting_usageminute" else "counted"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_QUICK)
        cursor.execute(
            f"""
            SELECT at, coalesce(sum(found.requests), 0)::bigint,
                coalesce(sum(found.errors), 0)::bigint
            FROM (
                SELECT local AT TIME ZONE %(zone)s AS at FROM generate_series(
                    date_trunc(%(step)s, %(since)s::timestamptz AT TIME ZONE %(zone)s),
                    (%(until)s::timestamptz AT TIME ZONE %(zone)s) - interval '1 microsecond',
                    %(width)s::interval
                ) AS local
            ) AS steps
            LEFT JOIN (
                SELECT date_trunc(%(step)s, {column}, %(zone)s) AS at,
                    sum({requests}) AS requests, sum({errors}) AS errors
                FROM {table} WHERE model_id = ANY(%(models)s)
                    AND {column} >= %(since)s AND {column} < %(until)s GROUP BY 1
            ) AS found USING (at) GROUP BY at ORDER BY at
            """,  # noqa: S608
            {
                "step": step,
                "width": f"1 {step}",
                "since": since,
                "until": until,
                "zone": zone,
                "models": model_ids,
            },
        )
        return [(row[0], row[1], row[2]) for row in cursor.fetchall()]


_ERRORS_OF_HOUR = "CASE WHEN status >= 400 THEN counted ELSE 0 END"


def records(model_ids: list[int], *, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    """Every request of the window, oldest first, as rows for a file."""
    found: QuerySet[UsageRecord] = UsageRecord.objects.filter(
        model_id__in=model_ids, arrived_at__gte=since, arrived_at__lt=until
    ).order_by("arrived_at")
    for row in found.values(*EXPORTED).iterator(2_000):
        yield {**row, "id": str(row["id"]), "arrived_at": row["arrived_at"].isoformat()}


EXPORTED = (
    "id",
    "arrived_at",
    "model_id",
    "revision_id",
    "token_id",
    "route",
    "method",
    "status",
    "outcome",
    "counted",
    "cold",
    "held_ms",
    "model_ms",
    "bytes_in",
    "bytes_out",
)


def _rows(model_ids: list[int], window: Window, *, key: str) -> list[Row]:
    table, column = window.source
    given: dict[str, list[int] | datetime] = {
        "models": model_ids,
        "since": window.since,
        "until": window.until,
    }
    where = f"model_id = ANY(%(models)s) AND {column} >= %(since)s AND {column} < %(until)s"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_QUICK)
        cursor.execute(
            f"""
            SELECT {key}, sum(requests)::bigint, sum(counted)::bigint,
                coalesce(sum(requests) FILTER (WHERE outcome = 'model_error'), 0)::bigint,
                coalesce(sum(requests) FILTER
                    (WHERE outcome IN ('refused', 'timeout', 'wake_failed')), 0)::bigint,
                coalesce(sum(requests) FILTER (WHERE outcome = 'client_abort'), 0)::bigint,
                sum(cold)::bigint, sum(bytes_in)::bigint, sum(bytes_out)::bigint,
                coalesce(sum(model_ms)::float8 / nullif(sum(requests), 0), 0)
            FROM {table} WHERE {where} GROUP BY 1 ORDER BY 2 DESC, 1
            """,  # noqa: S608
            given,
        )
        sums = cursor.fetchall()
        cursor.execute(
            f"""
            SELECT {key}, model_bucket, held_bucket, sum(cells.count)::bigint
            FROM {table},
                unnest(model_buckets, held_buckets, counts)
                    AS cells (model_bucket, held_bucket, count)
            WHERE {where} GROUP BY 1, 2, 3
            """,  # noqa: S608
            given,
        )
        model_cells: dict[int, dict[int, int]] = {}
        held_cells: dict[int, dict[int, int]] = {}
        for group, model_bucket, held_bucket, count in cursor.fetchall():
            _add(model_cells.setdefault(group, {}), model_bucket, count)
            _add(held_cells.setdefault(group, {}), held_bucket, count)
    return [
        Row(*[*row, times(model_cells.get(row[0], {})), times(held_cells.get(row[0], {}))])
        for row in sums
    ]


def _add(cells: dict[int, int], bucket: int, count: int) -> None:
    cells[bucket] = cells.get(bucket, 0) + count


def _finest(since: datetime, zone: str) -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(minute FROM %s::timestamptz AT TIME ZONE %s)"
            " = extract(minute FROM %s::timestamptz AT TIME ZONE 'UTC')",
            [since, zone, since],
        )
        whole_hours = cursor.fetchone()[0]
    return ("hosting_usagehour", "hour") if whole_hours else ("hosting_usageminute", "minute")


def _ms(passed: timedelta) -> float:
    return passed / timedelta(milliseconds=1)


_EMPTY = Row(0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, Times(), Times())


def as_dict(row: Row) -> dict[str, Any]:
    """A row as plain data."""
    return asdict(row)
