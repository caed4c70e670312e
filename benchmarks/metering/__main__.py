"""How fast usage is recorded, shipped, proved and told. On a PostgreSQL of its own.

    make bench-metering                               # 10 million rows for the statistics
    make bench-metering ROWS=1000000 EVENTS=100000

Durable: PostgreSQL runs with fsync on, as it does in service.
"""

import os
import statistics as plain
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROWS = int(os.environ.get("ROWS", "10000000"))
EVENTS = int(os.environ.get("EVENTS", "200000"))
NOW = datetime(2026, 6, 15, tzinfo=UTC)
YEAR = timedelta(days=365)


ASKED: dict[str, Any] = {
    "owners": b"3\t1\t9",
    "token_id": 11,
    "route": b"query",
    "method": b"POST",
    "counts": True,
    "cold": False,
    "arrived_at": 1781524800.5,
    "held_ms": 0,
}
ANSWERED: dict[str, Any] = {
    "status": 200,
    "outcome": "ok",
    "counted": True,
    "model_ms": 123,
    "bytes_in": 512,
    "bytes_out": 2048,
}


def main() -> None:
    """Start the servers, measure, print a table."""
    from supervisor import embedded

    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        servers = embedded.start(folder, logs=folder / "log", given={}, durable=True)
        try:
            os.environ.update(servers.environment())
            os.environ["DORMOUSE_STATE_DIR"] = str(folder / "state")
            os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
            measure(folder)
        finally:
            servers.stop()


def measure(folder: Path) -> None:
    """Every figure of docs/benchmarks.md."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    show("load average", f"{os.getloadavg()[0]:.1f}")
    recording()
    shipping(folder / "spool")
    telling()


def recording() -> None:
    """What one request costs the router: its id, its line, its place in the spool.

    In rounds, because whatever else runs on the machine only ever adds to it.
    """
    from hosting.router.spool import Spool
    from hosting.router.usage import RequestIds, begin_line, spool_line

    rounds, number = [], 20_000
    with tempfile.TemporaryDirectory() as name:
        spool, ids = Spool(Path(name), "bench"), RequestIds()
        for _ in range(25):
            started = time.process_time()
            for _ in range(number):
                begun = begin_line(request_id=ids.mint(now=1781524800.5), **ASKED)
                spool.append(spool_line(begun, **ANSWERED))
            rounds.append((time.process_time() - started) / number * 1e6)
        spool.close()
    figures = f"{plain.median(rounds):.2f} µs (best round {min(rounds):.2f} µs)"
    show("recording one request in the router, CPU", figures)


def line(request_id: bytes, *, arrived_at: float = 1781524800.5, model: int = 3) -> bytes:
    """One spool line."""
    from hosting.router.usage import begin_line, spool_line

    asked = ASKED | {"owners": b"%d\t1\t9" % model, "arrived_at": arrived_at}
    return spool_line(begin_line(request_id=request_id, **asked), **ANSWERED)


def shipping(spool: Path) -> None:
    """From the spool into the chained ledger, then the rollups and the proof of it."""
    from hosting.billing import proof
    from hosting.metering import partitions, rollups, shipper
    from hosting.router.usage import RequestIds

    partitions.ensure(now=NOW - timedelta(days=31))
    (spool / "bench-0").mkdir(parents=True)
    ids, start = RequestIds(), (NOW - timedelta(hours=20)).timestamp()
    with (spool / "bench-0" / f"{1:016}.log").open("wb") as file:
        for number in range(EVENTS):
            at = start + number * 3600 / EVENTS
            file.write(line(ids.mint(now=at), arrived_at=at, model=3 + number % 5))
    cpu = time.process_time()
    passed, new = timed(lambda: shipper.ship_once(spool, now=NOW))
    cpu = time.process_time() - cpu
    assert new == EVENTS
    show("shipped into the chained ledger", f"{EVENTS / passed:,.0f} rows/s")
    show("of that, the shipper's own CPU", f"{cpu / EVENTS * 1e6:.1f} µs a row")
    passed, again = timed(lambda: _again(spool))
    assert again == 0
    show("shipped a second time (all known)", f"{EVENTS / passed:,.0f} rows/s, 0 doubled")
    passed, _ = timed(rollups.refresh)
    show(f"rolling up {EVENTS:,} rows", f"{passed:.2f} s")
    passed, outcome = timed(
        lambda: proof.reconcile(
            since=NOW.date() - timedelta(days=2), until=NOW.date(), spool=spool, now=NOW
        )
    )
    assert outcome.findings == []
    assert outcome.records == EVENTS
    show("proof: spool, chains, rollups", f"{EVENTS / passed:,.0f} rows/s")


def _again(spool: Path) -> int:
    from hosting.metering import shipper
    from hosting.models import SpoolSegment

    SpoolSegment.objects.update(offset=0)
    return shipper.ship_once(spool, now=NOW)


def telling() -> None:
    """What a model's page asks of a ledger of many rows: a year, five models, a busy token mix."""
    from django.db import connection

    from hosting.metering import rollups, statistics
    from hosting.models import UsageHour

    passed, _ = timed(build)
    show(f"building {ROWS:,} rows over a year", f"{passed:.0f} s")
    passed, _ = timed(rollups.refresh)
    rows = UsageHour.objects.count()
    show(f"nightly: all rollups anew ({rows:,} rows of hours)", f"{passed:.0f} s")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    for words, days in (("24 hours", 1), ("30 days", 30), ("12 months", 365)):
        window = {"since": NOW - timedelta(days=days), "until": NOW}
        figures: list[tuple[str, Callable[[], object]]] = [
            ("summary, percentiles", lambda w=window: statistics.summary([101], **w)),
            ("by status", lambda w=window: statistics.by("status", [101], **w)),
            ("by token", lambda w=window: statistics.by("token", [101], **w)),
            (
                "days of a time zone",
                lambda w=window: statistics.series_in_zone(
                    [101], step="day", zone="Europe/Berlin", **w
                ),
            ),
        ]
        for name, figure in figures:
            times = [timed(figure)[0] * 1000 for _ in range(7)]
            show(f"{words}: {name}", f"{plain.median(times):.1f} ms")


def build() -> None:
    """Fill the ledger with rows as they would be, but for the chain: SQL makes them faster."""
    from django.db import connection

    from hosting.metering import partitions

    month = partitions.month_of(NOW - YEAR)
    while month <= NOW:
        partitions.ensure(now=month)
        month = partitions.next_month(month)
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        for part in range(20):
            cursor.execute(
                _BUILD, {"start": NOW - YEAR, "rows": ROWS, "first": part, "step": 365 * 86400}
            )
        cursor.execute(
            "INSERT INTO hosting_dirtyhour (model_id, hour, version)"
            " SELECT DISTINCT model_id, date_trunc('hour', arrived_at, 'UTC'), 1"
            " FROM hosting_usagerecord ON CONFLICT DO NOTHING"
        )


_BUILD = """
INSERT INTO hosting_usagerecord
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || lpad(to_hex(n %% 4096), 3, '0') || '8' || substr(md5(n::text), 1, 15))::uuid,
    101 + n %% 5, 1, 9 + n %% 2, 11 + n %% 4, 'query', 'POST', status,
    CASE WHEN status >= 500 THEN 'model_error' ELSE 'ok' END, true, n %% 97 = 0, at,
    CASE WHEN n %% 97 = 0 THEN 900 + (n %% 700)::integer ELSE 0 END,
    (exp(4 + 1.2 * (random() + random() + random() - 1.5)))::integer,
    512, 2048, 0, NULL, 1, ''
FROM (
    SELECT n,
        %(start)s::timestamptz + n * (%(step)s::float8 / %(rows)s) * interval '1 second' AS at,
        CASE WHEN n %% 50 = 0 THEN 500 WHEN n %% 20 = 0 THEN 422 ELSE 200 END AS status
    FROM generate_series(%(first)s * %(rows)s / 20, (%(first)s + 1) * %(rows)s / 20 - 1) AS n
) AS made
"""


def timed(call: Callable[[], object]) -> tuple[float, object]:
    """How long it took, and what came of it."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def show(what: str, figure: str) -> None:
    """One row of the table."""
    print(f"| {what} | {figure} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
