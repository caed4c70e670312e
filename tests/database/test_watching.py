"""Replicas that end are heard of at once; what a broken stream didn't tell is looked for."""

import threading

import pytest

from hosting import nudges
from hosting.lifecycle import operations, watching
from hosting.lifecycle.reconcile import reconcile
from hosting.states import State
from tests.database.conftest import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


@pytest.fixture
def asked(monkeypatch):
    """What workers were asked: models to look at, and sweeps."""
    found = []
    monkeypatch.setattr(nudges, "reconcile", lambda _, *, model_id: found.append(model_id))
    monkeypatch.setattr(nudges, "send", lambda _, task: found.append(task))
    # The listener's own thread closes its connection; here it would be the test's.
    monkeypatch.setattr(watching, "close_old_connections", lambda: None)
    return found


@pytest.fixture
def awake(model, tools):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    return model


def test_a_replica_that_dies_is_looked_at_before_any_sweep(awake, tools, runtime, asked):
    runtime.exit(runtime.started[0])

    watching.listen(runtime)
    reconcile(awake.pk, tools=tools)

    awake.refresh_from_db()
    assert asked == [awake.pk]
    assert awake.state == State.ASLEEP


def test_what_we_stopped_ourselves_is_nobodys_loss(awake, tools, runtime, asked):
    name = runtime.started[0]
    operations.sleep(awake, cause="ada", now=NOON)
    reconcile(awake.pk, tools=tools)
    asked.clear()
    runtime.told = [name]

    watching.listen(runtime)

    assert asked == []


@pytest.mark.parametrize("name", ["other-r1", "test", "x-rabc", ""])
def test_a_name_that_is_not_ours_is_ignored(runtime, asked, name, db):
    runtime.told = [name]

    watching.listen(runtime)

    assert asked == []


class StopAfter(threading.Event):
    """Says stop after some rounds, without waiting."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.left = rounds

    def wait(self, timeout: float | None = None) -> bool:
        self.left -= 1
        if self.left == 0:
            self.set()
        return self.is_set()


def test_a_stream_that_ends_is_opened_again_after_a_sweep(runtime, asked, db):
    watching.watch(runtime, stop=StopAfter(3))

    assert asked == [nudges.SWEEP, nudges.SWEEP]


def test_an_engine_that_is_away_is_asked_again(runtime, asked, db):
    runtime.available = False

    watching.watch(runtime, stop=StopAfter(2))

    assert asked == [nudges.SWEEP]


def test_a_runtime_that_tells_nothing_is_not_listened_to(runtime, asked, db):
    runtime.watches = False

    watching.watch(runtime, stop=StopAfter(2))

    assert asked == []
