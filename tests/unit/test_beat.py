"""Beat goes on sending whatever the machine's clock is set to."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from celery import Celery
from django.conf import settings

from workers import beat

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Recording(beat.SteadyScheduler):
    """Beat without a broker."""

    def apply_entry(self, entry, producer=None):
        self.sent.append(entry.name)

    @property
    def producer(self):
        return None


@pytest.fixture
def start(tmp_path):
    """Start beat, again with what it wrote down before."""
    running = []

    def begin():
        app = Celery("test", set_as_current=False)
        app.conf.timezone = "UTC"
        app.conf.beat_schedule = {
            "sweep": {"task": "sweep", "schedule": 2.0},
            "books": {"task": "books", "schedule": 60.0},
        }
        scheduler = Recording(app=app, schedule_filename=str(tmp_path / "beat"))
        scheduler.sent = []
        running.append(scheduler)
        return scheduler

    yield begin
    for each in running:
        each.close()


def run(scheduler, traveller, *, seconds):
    """Let beat run for so long; returns what it sent."""
    scheduler.sent.clear()
    left = float(seconds)
    while left > 0:
        pause = min(max(scheduler.tick(), 0.01), left)
        traveller.shift(pause)
        left -= pause
    return list(scheduler.sent)


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=1), timedelta(seconds=-20)])
def test_beat_goes_on_when_the_clock_is_set(start, step):
    with time_machine.travel(NOON, tick=False) as traveller:
        scheduler = start()
        before = run(scheduler, traveller, seconds=130)
        traveller.shift(step)
        after = run(scheduler, traveller, seconds=130)

    assert 60 <= before.count("sweep") <= 66
    assert 60 <= after.count("sweep") <= 67
    assert 1 <= after.count("books") <= 3


def test_beat_does_not_wait_for_what_it_wrote_down_by_a_clock_that_was_ahead(start):
    with time_machine.travel(NOON + timedelta(days=1), tick=False) as traveller:
        run(start(), traveller, seconds=10)
    with time_machine.travel(NOON, tick=False) as traveller:
        sent = run(start(), traveller, seconds=10)

    assert sent.count("sweep") >= 4


def test_it_is_our_beat_that_runs():
    assert f"{beat.__name__}:{beat.SteadyScheduler.__name__}" == settings.CELERY_BEAT_SCHEDULER
