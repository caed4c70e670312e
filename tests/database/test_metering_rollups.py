"""Hours and days: rebuilt from the ledger, closed once, late events billed later."""

from datetime import UTC, datetime, timedelta

import pytest

from hosting.metering import closing, ledger, rollups
from hosting.models import (
    ClosedHour,
    DirtyHour,
    SpoolSource,
    UsageDay,
    UsageHour,
    UsageRecord,
)
from tests.database.conftest import NOON, make_event

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def hours() -> list[tuple[datetime, int, int, bool]]:
    rows = UsageHour.objects.order_by("hour", "status").values_list(
        "hour", "status", "counted", "late"
    )
    return list(rows)


def test_an_hour_keeps_kinds_of_requests_apart(model, usage_event):
    usage_event(model, token_id=7)
    usage_event(model, token_id=7, model_ms=500)
    usage_event(model, token_id=8, status=500, outcome="model_error")

    rollups.refresh()

    rows = UsageHour.objects.order_by("token_id").values_list("token_id", "status", "requests")
    assert list(rows) == [(7, 200, 2), (8, 500, 1)]
    assert sum(UsageHour.objects.get(token_id=7).counts) == 2


def test_a_day_is_the_sum_of_its_hours(model, usage_event):
    for number in range(5):
        usage_event(model, at=NOON + number * HOUR, model_ms=100 * number)

    rollups.refresh()

    day = UsageDay.objects.get()
    assert (day.requests, day.counted, day.model_ms, sum(day.counts)) == (5, 5, 1000, 5)


def test_refreshing_twice_changes_nothing(model, usage_event):
    usage_event(model)
    rollups.refresh()
    before = closing.checksum(NOON)

    rollups.rebuild(NOON, model_ids=[model.pk])

    assert closing.checksum(NOON) == before
    assert not DirtyHour.objects.exists()


def test_a_batch_that_comes_while_its_hour_is_rebuilt_stays_marked(model, monkeypatch):
    ledger.record([make_event(model)])
    rebuild = rollups._rebuild_hour

    def meanwhile(hour, *, models):
        rebuild(hour, models=models)
        ledger.record([make_event(model)])

    monkeypatch.setattr(rollups, "_rebuild_hour", meanwhile)
    rollups.refresh()
    monkeypatch.setattr(rollups, "_rebuild_hour", rebuild)

    assert rollups.refresh() == 1
    assert hours() == [(NOON, 200, 2, False)]


def test_an_hour_waits_for_the_slowest_router(model, usage_event):
    usage_event(model)
    for router, behind in (("a-0", timedelta(0)), ("b-0", timedelta(minutes=58))):
        SpoolSource.objects.create(
            spool_id="0" * 32, router=router, watermark=NOON + 2 * HOUR - behind
        )

    assert closing.close_hours(now=NOON + 2 * HOUR) == 0

    SpoolSource.objects.filter(router="b-0").update(retired_at=NOON)
    assert closing.close_hours(now=NOON + 2 * HOUR) == 1


def test_an_hour_is_closed_five_minutes_after_its_end(model, usage_event):
    usage_event(model)

    assert closing.close_hours(now=NOON + HOUR + timedelta(minutes=4)) == 0
    assert closing.close_hours(now=NOON + HOUR + timedelta(minutes=5)) == 1
    assert ClosedHour.objects.get().counted == 1


def test_a_late_event_is_billed_in_the_first_open_hour_and_leaves_the_closed_one_alone(
    model, usage_event
):
    usage_event(model)
    closing.close_hours(now=NOON + 3 * HOUR)
    sealed = ClosedHour.objects.get().checksum

    usage_event(model, at=NOON + timedelta(minutes=59))
    rollups.refresh()

    assert hours() == [(NOON, 200, 1, False), (NOON + 2 * HOUR, 200, 1, False)]
    assert closing.checksum(NOON) == sealed
    assert UsageRecord.objects.get(late_hour=NOON + 2 * HOUR).arrived_at < NOON + HOUR


def test_an_event_of_a_month_that_is_over_is_marked_late(model, usage_event):
    closing.close_hours(now=datetime(2026, 7, 1, 3, tzinfo=UTC))

    usage_event(model)
    rollups.refresh()

    assert hours() == [(datetime(2026, 7, 1, 2, tzinfo=UTC), 200, 1, True)]


def test_a_closer_that_died_halfway_is_finished_by_the_next(model, usage_event, monkeypatch):
    usage_event(model)
    monkeypatch.setattr(closing, "_seal", _die)
    with pytest.raises(KeyboardInterrupt):
        closing.close_hours(now=NOON + 2 * HOUR)
    monkeypatch.undo()

    assert closing.close_hours(now=NOON + 2 * HOUR) == 1


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
