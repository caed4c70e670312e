"""Drowsy: paused, back in milliseconds, and never a request sent to a frozen replica."""

from datetime import timedelta

import pytest

from hosting import nudges, route_table
from hosting.errors import ModelInactive, RuntimeUnavailable
from hosting.lifecycle import dozing, draining, leases, machine, operations
from hosting.lifecycle import sweep as sweeping
from hosting.lifecycle.reconcile import reconcile, wake
from hosting.models import HostedModel, Replica, Revision, Wake
from hosting.states import Event, State, public_status
from hosting.wire import Asker
from tests.database.conftest import NOON

ASKER = Asker(asked_at=NOON.timestamp(), route="query", method="POST")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


@pytest.fixture
def drowsy(model, tools, clock):
    """A model that was quiet for five minutes; no router is there to be asked."""
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    draining.start_draining_idle(now=clock.advance(minutes=5))
    reconcile(model.pk, tools=tools)
    model.refresh_from_db()
    return model


@pytest.fixture
def nudged(monkeypatch):
    """The models a worker was asked to look at."""
    found = []
    monkeypatch.setattr(nudges, "reconcile", lambda _, *, model_id: found.append(model_id))
    return found


def state_of(model: HostedModel) -> State:
    model.refresh_from_db()
    return model.current_state


def test_an_idle_model_is_paused_not_stopped(drowsy, runtime):
    assert drowsy.state == State.DROWSY
    assert runtime.paused == runtime.started
    assert runtime.stopped == []


def test_a_wake_reads_nothing_twice(drowsy, tools, django_assert_num_queries):
    # The lease with its row, what is there, the moves, the wake and their history; then what is in
    # service, what is in use beside it, letting go, and whether something came meanwhile.
    with django_assert_num_queries(9):
        wake(drowsy.pk, asker=ASKER, tools=tools)

    assert state_of(drowsy) == State.AWAKE


def test_no_route_names_a_paused_replica(drowsy):
    fresh = HostedModel.objects.get(pk=drowsy.pk)

    assert route_table.build(fresh).replicas == ()
    assert public_status(drowsy.current_state) == "running"


def test_a_request_resumes_the_replica_that_is_there(drowsy, tools, runtime, clock):
    operations.wake(drowsy, cause="request", now=clock.now())
    reconcile(drowsy.pk, tools=tools)

    assert state_of(drowsy) == State.AWAKE
    assert len(runtime.started) == 1
    assert runtime.resumed == runtime.started
    assert len(route_table.build(drowsy).replicas) == 1


def test_a_replica_that_ended_while_drowsy_is_replaced_in_the_same_wake(
    drowsy, tools, runtime, clock
):
    runtime.exit(runtime.started[0])

    operations.wake(drowsy, cause="request", now=clock.now())
    reconcile(drowsy.pk, tools=tools)

    assert state_of(drowsy) == State.AWAKE
    assert len(runtime.started) == 2


def test_a_replica_of_an_older_revision_is_not_resumed(drowsy, tools, runtime, clock):
    newer = operations.RevisionSpec(image="example.org/echo:2", protocol="http")
    operations.deploy(drowsy, revision=newer, created_by=None)

    operations.wake(drowsy, cause="request", now=clock.now())
    reconcile(drowsy.pk, tools=tools)

    assert state_of(drowsy) == State.AWAKE
    assert [each.image for each in runtime.specs.values()] == [
        "example.org/echo:1",
        "example.org/echo:2",
    ]
    assert runtime.stopped == runtime.started[:1]


def test_it_is_stopped_when_it_was_drowsy_for_long(drowsy, tools, runtime, clock):
    dozing.deepen(now=clock.advance(minutes=29))
    early = state_of(drowsy)
    dozing.deepen(now=clock.advance(minutes=1))
    reconcile(drowsy.pk, tools=tools)

    assert early == State.DROWSY
    assert state_of(drowsy) == State.ASLEEP
    assert runtime.stopped == runtime.started


@pytest.mark.parametrize("verb", [operations.sleep, operations.deactivate, operations.delete_model])
def test_who_asks_for_sleep_gets_the_memory_back(drowsy, tools, runtime, clock, verb):
    verb(drowsy, cause="ada", now=clock.now())
    reconcile(drowsy.pk, tools=tools)

    assert state_of(drowsy) == State.ASLEEP
    assert runtime.stopped == runtime.started


def test_sleep_while_falling_drowsy_ends_in_a_stop(model, tools, runtime, clock):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    now = clock.advance(minutes=5)
    draining.start_draining_idle(now=now)

    for _ in range(2):
        operations.sleep(model, cause="ada", now=now)
    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.ASLEEP
    assert runtime.paused == []
    events = list(model.transitions.order_by("pk").values_list("event", flat=True))
    assert events[2:] == [Event.IDLE, Event.SLEEP, Event.DRAINED]


def test_who_asks_for_sleep_with_an_older_copy_of_the_row_is_heard(model, tools, clock):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    stale = HostedModel.objects.get(pk=model.pk)
    operations.sleep(stale, cause="ada", now=NOON)
    operations.wake(model, cause="request", now=NOON)

    operations.sleep(stale, cause="ada", now=NOON)

    assert state_of(model) == State.DRAINING


def test_a_drain_that_runs_out_of_time_stops_and_freezes_nobodys_request(model, tools, clock):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    draining.start_draining_idle(now=clock.advance(minutes=5))
    clock.advance(seconds=601)

    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.ASLEEP


def test_a_runtime_that_can_not_pause_goes_straight_to_sleep(model, tools, runtime, clock):
    runtime.pauses = False
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    draining.start_draining_idle(now=clock.advance(minutes=5))

    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.ASLEEP


def test_a_worker_that_died_before_it_paused_is_made_up_for(drowsy, tools, runtime, nudged):
    runtime.resume(runtime.started[0])

    sweeping.sweep(tools=tools)
    reconcile(drowsy.pk, tools=tools)

    assert nudged == [drowsy.pk]
    assert runtime.find(runtime.started[0]).paused


def test_a_holder_that_slept_through_its_lease_pauses_nothing(drowsy, tools, runtime, clock):
    runtime.resume(runtime.started[0])

    with leases.lease(drowsy.pk, clock=clock) as late:
        clock.advance(seconds=60)
        HostedModel.objects.filter(pk=drowsy.pk).update(lease_holder="another")
        dozing.pause(drowsy, list(drowsy.replicas.all()), lease=late, tools=tools)

    assert not runtime.find(runtime.started[0]).paused


def test_a_lease_that_was_lost_stays_lost(drowsy, clock):
    with leases.lease(drowsy.pk, clock=clock) as late:
        clock.advance(seconds=60)
        HostedModel.objects.filter(pk=drowsy.pk).update(lease_holder="another")

        assert [late.renew() for _ in range(2)] == [False, False]


def test_an_awake_model_that_was_paused_behind_our_back_is_resumed(model, tools, runtime, nudged):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    runtime.pause(runtime.started[0])

    sweeping.sweep(tools=tools)
    reconcile(model.pk, tools=tools)

    assert nudged[-1] == model.pk
    assert not runtime.find(runtime.started[0]).paused
    assert state_of(model) == State.AWAKE


def test_a_replica_that_was_paused_behind_our_back_while_it_starts_is_resumed(
    model, tools, runtime, probe, clock
):
    def answer_unless_paused(_: object) -> None:
        probe.asks = 1_000_000 * runtime.find(runtime.started[0]).paused

    def pause(_: object) -> None:
        runtime.pause(runtime.started[0])
        clock.on_sleep = answer_unless_paused

    operations.wake(model, cause="request", now=NOON)
    probe.asks = 1_000_000
    clock.on_sleep = pause

    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.AWAKE
    assert clock.now() - NOON < timedelta(seconds=1)


def test_a_drowsy_model_whose_replica_ended_is_asleep_and_did_not_fail(
    drowsy, tools, runtime, nudged
):
    runtime.exit(runtime.started[0])

    sweeping.sweep(tools=tools)
    reconcile(drowsy.pk, tools=tools)

    assert state_of(drowsy) == State.ASLEEP
    assert drowsy.failure_count == 0
    assert runtime.replicas() == []


def test_an_engine_that_is_away_delays_the_resume_and_loses_nothing(drowsy, tools, runtime, clock):
    operations.wake(drowsy, cause="request", now=clock.now())
    runtime.available = False
    with pytest.raises(RuntimeUnavailable):
        reconcile(drowsy.pk, tools=tools)

    runtime.available = True
    reconcile(drowsy.pk, tools=tools)

    assert state_of(drowsy) == State.AWAKE
    assert Replica.objects.count() == 1


def test_a_model_that_is_fine_while_drowsy_is_left_alone(drowsy, tools, runtime, nudged):
    sweeping.sweep(tools=tools)

    assert nudged == []
    assert runtime.stopped == []


def test_a_request_between_the_drain_and_the_pause_is_answered(model, tools, runtime, clock):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    draining.start_draining_idle(now=clock.advance(minutes=5))
    model.refresh_from_db()
    draining.finish_if_released(model, now=clock.now(), pauses=True)

    operations.wake(model, cause="request", now=clock.now() + timedelta(milliseconds=10))
    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.AWAKE
    assert runtime.paused == []
    assert len(runtime.started) == 1


def test_the_engine_is_asked_once_while_the_wake_is_written_down(drowsy, tools, runtime):
    wake(drowsy.pk, asker=ASKER, tools=tools)

    assert state_of(drowsy) == State.AWAKE
    assert runtime.resumed == runtime.started
    assert [each.event for each in drowsy.transitions.all()[:2]] == [Event.READY, Event.REQUEST]
    assert Wake.objects.latest("pk").resumed
    assert drowsy.lease_until is None


@pytest.fixture
def killed(drowsy, tools, clock, monkeypatch):
    """A drowsy model whose waking worker was killed after the resume; its lease is left."""

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(machine, "apply_as_read", die)
        with pytest.raises(KeyboardInterrupt):
            wake(drowsy.pk, asker=ASKER, tools=tools)
    left = clock.now() + leases.DURATION
    HostedModel.objects.filter(pk=drowsy.pk).update(lease_holder="killed", lease_until=left)
    return drowsy


def test_a_wake_from_drowsy_is_one_move_of_two_steps(drowsy, tools):
    before = drowsy.generation

    wake(drowsy.pk, asker=ASKER, tools=tools)

    assert state_of(drowsy) == State.AWAKE
    newest = drowsy.transitions.order_by("-generation")[:2]
    assert [(each.event, each.generation - before) for each in newest] == [
        (Event.READY, 2),
        (Event.REQUEST, 1),
    ]
    kept = Wake.objects.latest("pk")
    assert (kept.cause, kept.route, kept.asked_at) == ("request", "query", NOON)


def test_a_worker_that_was_killed_between_resuming_and_writing_is_made_up_for(
    killed, tools, runtime, clock, nudged
):
    assert not runtime.find(runtime.started[0]).paused
    clock.advance(seconds=16)

    sweeping.sweep(tools=tools)
    reconcile(killed.pk, tools=tools)

    assert nudged == [killed.pk]
    assert state_of(killed) == State.DROWSY
    assert runtime.find(runtime.started[0]).paused


def test_a_request_after_a_killed_worker_waits_for_its_lease_alone(
    killed, tools, runtime, clock, nudged
):
    wake(killed.pk, asker=ASKER, tools=tools)
    early = state_of(killed)
    clock.advance(seconds=16)
    sweeping.sweep(tools=tools)
    reconcile(killed.pk, tools=tools)

    assert (early, state_of(killed)) == (State.AWAKENING, State.AWAKE)
    assert nudged == [killed.pk]
    assert len(runtime.started) == 1


def test_a_replica_that_ended_is_no_wake_at_once(drowsy, tools, runtime):
    runtime.exit(runtime.started[0])

    wake(drowsy.pk, asker=ASKER, tools=tools)

    assert state_of(drowsy) == State.AWAKE
    assert len(runtime.started) == 2
    assert not Wake.objects.latest("pk").resumed


def test_a_replica_that_must_be_examined_first_is_no_wake_at_once(drowsy, tools, runtime):
    Revision.objects.update(admitted_at=None)

    wake(drowsy.pk, asker=ASKER, tools=tools)

    assert state_of(drowsy) == State.AWAKE
    assert len(runtime.started) == 2


def test_who_does_not_hold_the_lease_leaves_the_engine_alone(drowsy, tools, runtime, clock):
    with leases.lease(drowsy.pk, clock=clock):
        wake(drowsy.pk, asker=ASKER, tools=tools)

        assert state_of(drowsy) == State.AWAKENING
        assert runtime.resumed == []
    reconcile(drowsy.pk, tools=tools)

    assert state_of(drowsy) == State.AWAKE


def test_a_model_that_was_switched_off_is_not_resumed(drowsy, tools, runtime):
    HostedModel.objects.filter(pk=drowsy.pk).update(active=False)

    with pytest.raises(ModelInactive):
        wake(drowsy.pk, asker=ASKER, tools=tools)

    assert runtime.resumed == []
    assert HostedModel.objects.get(pk=drowsy.pk).lease_until is None


def test_only_what_is_wanted_is_resumed(drowsy, tools, runtime):
    newer = operations.RevisionSpec(image="example.org/echo:2", protocol="http")
    operations.deploy(drowsy, revision=newer, created_by=None)

    wake(drowsy.pk, asker=ASKER, tools=tools)

    assert state_of(drowsy) == State.AWAKE
    assert runtime.resumed == []
    assert len(runtime.started) == 2


def test_an_engine_that_is_away_fails_the_task_and_the_next_try_resumes(drowsy, tools, runtime):
    runtime.available = False
    with pytest.raises(RuntimeUnavailable):
        wake(drowsy.pk, asker=ASKER, tools=tools)
    assert state_of(drowsy) == State.AWAKENING

    runtime.available = True
    wake(drowsy.pk, asker=ASKER, tools=tools)

    assert state_of(drowsy) == State.AWAKE
    assert runtime.resumed == runtime.started
