"""What the rollups say."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from hosting.errors import InvalidValue
from hosting.models import UsageMinute

MOST_POINTS = 2_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Counted requests, and those of them the model answered with an error."""

    requests: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of a series, from `at` on."""

    at: datetime
    requests: int
    errors: int


def totals(
    model_ids: Iterable[int], *, since: datetime, until: datetime | None = None
) -> dict[int, Usage]:
    """Usage per model in [since, until), zeros included; whole minutes count."""
    wanted = list(model_ids)
    rows = (
        UsageMinute.objects.filter(
            model_id__in=wanted, minute__gte=_minute(since), minute__lt=until or timezone.now()
        )
        .values("model_id")
        .annotate(requests_sum=Sum("requests"), errors_sum=Sum("errors"))
    )
    found = {row["model_id"]: Usage(row["requests_sum"], row["errors_sum"]) for row in rows}
    return {model_id: found.get(model_id, Usage()) for model_id in wanted}


def series(model_id: int, *, since: datetime, until: datetime, bucket_seconds: int) -> list[Point]:
    """Usage of one model in equal buckets, gaps filled. Raises InvalidValue beyond 2,000 points."""
    if bucket_seconds < 60 or bucket_seconds % 60:
        raise InvalidValue("A bucket is a whole number of minutes, in seconds.", field="bucket")
    if since >= until:
        raise InvalidValue("“since” must be before “until”.", field="since")
    if (until - since).total_seconds() / bucket_seconds > MOST_POINTS:
        raise InvalidValue(
            f"That is more than {MOST_POINTS:,} points. Take longer buckets or less time.",
            field="bucket",
        )
    return series_of_many([model_id], since=since, until=until, bucket_seconds=bucket_seconds)[
        model_id
    ]


def series_of_many(
    model_ids: Iterable[int], *, since: datetime, until: datetime, bucket_seconds: int
) -> dict[int, list[Point]]:
    """The series of several models, by model id, in one query."""
    wanted = list(model_ids)
    start = _minute(since)
    bucket = timedelta(seconds=bucket_seconds)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT model_id, date_bin(make_interval(secs => %s), minute, %s) AS bucket,
                sum(requests), sum(errors)
            FROM hosting_usageminute
            WHERE model_id = ANY(%s) AND minute >= %s AND minute < %s
            GROUP BY 1, 2
            """,
            [bucket_seconds, start, wanted, start, until],
        )
        found = {(row[0], row[1]): (int(row[2]), int(row[3])) for row in cursor.fetchall()}
    buckets = []
    while start < until:
        buckets.append(start)
        start += bucket
    return {
        model_id: [Point(at, *found.get((model_id, at), (0, 0))) for at in buckets]
        for model_id in wanted
    }


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
