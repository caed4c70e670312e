"""Sleeping: only when everyone has let go, and a request in the window costs nothing."""

from datetime import timedelta

import pytest
import redis

from hosting import route_table, wire
from hosting.lifecycle import draining, operations
from hosting.lifecycle.reconcile import reconcile
from hosting.models import HostedModel
from hosting.states import State
from tests.database.conftest import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


@pytest.fixture
def awake(model, tools):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    model.refresh_from_db()
    return model


def report(model, *, router="r1", at=NOON, generation=None, in_flight=0, idle=0.0, released=False):
    said = wire.Report(
        generation=model.generation if generation is None else generation,
        in_flight=in_flight,
        idle_seconds=idle,
        released=released,
    )
    connection = route_table.connection()
    connection.zadd(wire.ROUTERS_KEY, {router: at.timestamp()})
    connection.hset(
        wire.reports_key(router), mapping={"at": at.timestamp(), str(model.pk): said.to_json()}
    )


def state_of(model: HostedModel) -> State:
    model.refresh_from_db()
    return model.current_state


def test_a_model_that_may_not_be_drowsy_sleeps_after_its_idle_timeout(awake, tools, clock, runtime):
    operations.change_settings(awake, deep_sleep_after_seconds=0)
    now = clock.advance(minutes=5)
    report(awake, at=now, idle=300.0)

    draining.start_draining_idle(now=now)
    draining_state = state_of(awake)
    report(awake, at=now, released=True)
    reconcile(awake.pk, tools=tools)

    assert draining_state == State.DRAINING
    assert state_of(awake) == State.ASLEEP
    assert runtime.stopped == runtime.started


@pytest.mark.parametrize("said", [{"in_flight": 1}, {"idle": 299.0}])
def test_one_router_that_still_uses_a_model_keeps_it_awake(awake, clock, said):
    now = clock.advance(minutes=5)
    report(awake, router="quiet", at=now, idle=300.0)
    report(awake, router="busy", at=now, **said)

    draining.start_draining_idle(now=now)

    assert state_of(awake) == State.AWAKE


def test_a_router_whose_lease_ran_out_no_longer_counts(awake, clock):
    report(awake, router="dead", at=NOON, in_flight=3)
    now = clock.advance(minutes=5)

    draining.start_draining_idle(now=now)

    assert state_of(awake) == State.DRAINING


def test_the_ledger_speaks_for_a_router_that_has_forgotten(awake, clock, usage_event):
    now = clock.advance(minutes=6)
    usage_event(awake, at=now - timedelta(minutes=2))

    draining.start_draining_idle(now=now)

    assert state_of(awake) == State.AWAKE


def test_nobody_is_put_to_sleep_while_redis_is_away(awake, tools, clock, monkeypatch):
    def away(**_: object) -> None:
        raise redis.ConnectionError("refused")

    now = clock.advance(minutes=5)
    monkeypatch.setattr(draining, "read_reports", away)

    draining.start_draining_idle(now=now)
    operations.sleep(awake, cause="ada", now=now)
    reconcile(awake.pk, tools=tools)

    assert state_of(awake) == State.DRAINING


def test_draining_waits_for_every_live_router(awake, tools, runtime):
    operations.sleep(awake, cause="ada", now=NOON)
    report(awake, router="r1", released=True)
    report(awake, router="r2", in_flight=1)

    reconcile(awake.pk, tools=tools)

    assert state_of(awake) == State.DRAINING
    assert runtime.stopped == []


def test_an_old_acknowledgement_is_not_taken_for_a_new_one(awake, tools):
    report(awake, generation=awake.generation, released=True)

    operations.sleep(awake, cause="ada", now=NOON)
    reconcile(awake.pk, tools=tools)

    assert state_of(awake) == State.DRAINING


def test_a_request_while_draining_flips_back_to_awake_at_no_cost(awake, tools, runtime):
    report(awake, in_flight=1)
    operations.sleep(awake, cause="ada", now=NOON)

    operations.wake(awake, cause="request", now=NOON)
    reconcile(awake.pk, tools=tools)

    assert state_of(awake) == State.AWAKE
    assert len(runtime.started) == 1
    assert runtime.stopped == []


def test_requests_longer_than_the_drain_timeout_are_not_waited_for(awake, tools, clock):
    operations.sleep(awake, cause="ada", now=NOON)
    report(awake, at=NOON + timedelta(seconds=600), in_flight=1)
    clock.advance(seconds=601)

    reconcile(awake.pk, tools=tools)

    assert state_of(awake) == State.ASLEEP


def test_without_any_router_a_model_sleeps_at_once(awake, tools):
    operations.sleep(awake, cause="ada", now=NOON)

    reconcile(awake.pk, tools=tools)

    assert state_of(awake) == State.ASLEEP


def test_switching_off_puts_to_sleep(awake, tools):
    operations.deactivate(awake, cause="ada", now=NOON)

    reconcile(awake.pk, tools=tools)

    assert state_of(awake) == State.ASLEEP


def test_deleting_an_awake_model_stops_its_container(awake, tools, runtime):
    operations.delete_model(awake, cause="ada", now=NOON)

    reconcile(awake.pk, tools=tools)

    assert runtime.stopped == runtime.started


def test_a_deleted_model_is_not_kept_for_routers_that_no_longer_know_it(awake, tools, runtime):
    operations.delete_model(awake, cause="ada", now=NOON)
    heartbeat(at=NOON)

    reconcile(awake.pk, tools=tools)

    assert state_of(awake) == State.ASLEEP
    assert runtime.stopped == runtime.started


def test_a_deleted_model_is_kept_for_requests_that_it_has_yet_to_answer(awake, tools):
    operations.delete_model(awake, cause="ada", now=NOON)
    report(awake, in_flight=1)

    reconcile(awake.pk, tools=tools)

    assert state_of(awake) == State.DRAINING


def test_a_deleted_model_is_kept_for_routers_that_were_last_heard_before(awake, tools):
    operations.delete_model(awake, cause="ada", now=NOON)
    heartbeat(at=NOON - timedelta(seconds=0.5))

    reconcile(awake.pk, tools=tools)

    assert state_of(awake) == State.DRAINING


def heartbeat(*, at, router="r1"):
    """A router lives, and has nothing to say of any model."""
    connection = route_table.connection()
    connection.zadd(wire.ROUTERS_KEY, {router: at.timestamp()})
    connection.hset(wire.reports_key(router), mapping={"at": at.timestamp()})
