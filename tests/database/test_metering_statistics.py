"""Statistics: the same figures whichever rollup answers, in anybody's time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hosting.metering import ledger, rollups, statistics
from hosting.models import Wake
from tests.database.conftest import NOON, make_event

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
WINDOW = {"since": NOON, "until": NOON + DAY}


@pytest.fixture
def busy(model):
    """Some of everything within a few hours."""
    kinds = [
        {"model_ms": 100, "token_id": 1},
        {"model_ms": 100, "token_id": 1},
        {"model_ms": 900, "token_id": 2, "status": 500, "outcome": "model_error"},
        {"model_ms": 0, "status": 503, "outcome": "wake_failed", "counted": False},
        {"model_ms": 50, "cold": True, "held_ms": 4_000},
        {"model_ms": 0, "status": 0, "outcome": "client_abort", "counted": False},
    ]
    ledger.record(
        [make_event(model, at=NOON + timedelta(hours=n), **kind) for n, kind in enumerate(kinds)]
    )
    rollups.refresh()
    return model


def test_a_summary_tells_who_failed(busy):
    row = statistics.summary([busy.pk], **WINDOW)

    assert (row.requests, row.counted) == (6, 4)
    assert (row.model_errors, row.refused, row.aborted, row.cold) == (1, 1, 1, 1)
    assert row.held.p99 == pytest.approx(4_000, rel=0.1)


def test_long_windows_say_the_same_as_short_ones(busy):
    year = statistics.summary([busy.pk], since=NOON - 200 * DAY, until=NOON + 165 * DAY)

    assert year == statistics.summary([busy.pk], **WINDOW)


def test_figures_come_by_status_token_and_revision(busy):
    def keys(dimension: str) -> dict[int, int]:
        rows = statistics.by(dimension, [busy.pk], **WINDOW)
        return {row.key: row.requests for row in rows}

    assert keys("status") == {200: 3, 0: 1, 500: 1, 503: 1}
    assert keys("token") == {0: 3, 1: 2, 2: 1}
    assert keys("revision") == {busy.revision_id: 6}


def test_a_model_nobody_asked_has_zeros(model):
    row = statistics.summary([model.pk], **WINDOW)

    assert (row.requests, row.model.p50) == (0, None)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "UTC"])
def test_days_are_those_of_the_time_zone(model, zone):
    here = ZoneInfo(zone)
    for day, times in ((1, 1), (2, 3)):
        late = datetime(2026, 6, day, 23, 59, tzinfo=here)
        ledger.record([make_event(model, at=late) for _ in range(times)])
    rollups.refresh()

    points = statistics.series_in_zone(
        [model.pk],
        since=datetime(2026, 6, 1, tzinfo=here),
        until=datetime(2026, 6, 4, tzinfo=here),
        step="day",
        zone=zone,
    )

    assert [requests for _, requests, _ in points] == [1, 3, 0]


def test_a_day_with_another_length_is_one_day(model):
    here = ZoneInfo("Europe/Berlin")  # 25 October 2026 has 25 hours

    points = statistics.series_in_zone(
        [model.pk],
        since=datetime(2026, 10, 24, tzinfo=here),
        until=datetime(2026, 10, 27, tzinfo=here),
        step="day",
        zone="Europe/Berlin",
    )

    starts = [at.astimezone(UTC).hour for at, _, _ in points]
    assert starts == [22, 22, 23]


def test_wakes_are_told_by_phase(model):
    second = timedelta(seconds=1)
    for loading in (1, 3):
        put_wake(
            model,
            prepared_at=NOON + second,
            started_at=NOON + 2 * second,
            ended_at=NOON + (2 + loading) * second,
        )
    put_wake(model, resumed=True, ended_at=NOON + second / 50)
    put_wake(model, outcome="failed", ended_at=NOON + timedelta(hours=1))
    put_wake(model, outcome="given_up", ended_at=NOON + second)

    wakes = statistics.wakes(model.pk, **WINDOW)

    assert (wakes.count, wakes.failed) == (3, 1)
    assert (wakes.start.p50, wakes.ready.p99) == (1000, 3000)
    assert (wakes.whole.p50, wakes.whole.p99) == (3000, 5000)


def put_wake(model, **fields) -> Wake:
    given = {"cause": "request", "outcome": "awake", "asked_at": NOON, "taken_at": NOON}
    return Wake.objects.create(model=model, revision=model.revision, **(given | fields))


def test_an_export_has_every_request_of_the_window(busy):
    rows = list(statistics.records([busy.pk], since=NOON, until=NOON + timedelta(hours=2)))

    assert [row["model_ms"] for row in rows] == [100, 100]
    assert set(rows[0]) == set(statistics.EXPORTED)
