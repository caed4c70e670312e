"""Waking: what must come true whatever is lost, repeated, late or dead."""

from datetime import timedelta

import pytest

from hosting.errors import RuntimeUnavailable, WakeBackoff
from hosting.lifecycle import operations
from hosting.lifecycle.leases import DURATION, lease
from hosting.lifecycle.reconcile import reconcile
from hosting.models import HostedModel, Replica
from hosting.models.replica import ReplicaStatus
from hosting.protocols.base import Readiness
from hosting.states import State
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db


def state_of(model: HostedModel) -> State:
    model.refresh_from_db()
    return model.current_state


def test_a_worker_that_died_after_starting_the_container_does_not_start_another(
    model, tools, runtime, clock
):
    operations.wake(model, cause="request", now=NOON)
    runtime.start_then_raise = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reconcile(model.pk, tools=tools)

    clock.advance(seconds=60)
    reconcile(model.pk, tools=tools)

    assert len(runtime.started) == 1
    assert state_of(model) == State.AWAKE


def test_a_second_reconciler_keeps_away_while_the_first_holds_the_lease(model, tools, clock):
    operations.wake(model, cause="request", now=NOON)

    with lease(model.pk, clock=clock):
        assert reconcile(model.pk, tools=tools) is False


def test_the_lease_of_a_dead_reconciler_ends_by_itself(model, tools, clock):
    operations.wake(model, cause="request", now=NOON)
    HostedModel.objects.filter(pk=model.pk).update(lease_holder="dead", lease_until=NOON + DURATION)

    clock.advance(seconds=DURATION.total_seconds() + 1)

    assert reconcile(model.pk, tools=tools) is True
    assert state_of(model) == State.AWAKE


def test_waking_twice_starts_one_replica(model, tools, runtime):
    operations.wake(model, cause="request", now=NOON)
    operations.wake(model, cause="request", now=NOON)

    reconcile(model.pk, tools=tools)
    reconcile(model.pk, tools=tools)

    assert len(runtime.started) == 1
    assert model.transitions.count() == 2


def test_an_engine_that_is_down_leaves_the_model_awakening(model, tools, runtime):
    operations.wake(model, cause="request", now=NOON)
    runtime.available = False

    with pytest.raises(RuntimeUnavailable):
        reconcile(model.pk, tools=tools)

    assert state_of(model) == State.AWAKENING


def test_a_container_that_exits_fails_the_wake_with_its_exit_code_and_log(
    model, tools, runtime, probe, clock
):
    operations.wake(model, cause="request", now=NOON)
    probe.asks = 1_000

    def die(_: object) -> None:
        runtime.write_log(runtime.started[0], "Traceback: no weights\n")
        runtime.exit(runtime.started[0], exit_code=3)
        clock.on_sleep = lambda _: None

    clock.on_sleep = die
    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.FAILED
    assert model.failure_reason == "Its container exited with code 3. Its logs may say why."
    assert model.replicas.get().last_log_lines == "Traceback: no weights\n"
    assert runtime.replicas() == []


def test_death_by_memory_says_so(model, tools, runtime, probe, clock):
    operations.wake(model, cause="request", now=NOON)
    probe.asks = 1_000

    def die(_: object) -> None:
        runtime.exit(runtime.started[0], out_of_memory=True)
        clock.on_sleep = lambda _: None

    clock.on_sleep = die
    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.FAILED
    assert model.failure_reason == "Its container ran out of memory (512 MiB). Give it more."


def test_a_model_that_never_gets_ready_fails_when_its_start_up_budget_ends(
    model, tools, probe, clock
):
    operations.change_settings(model, startup_timeout_seconds=30)
    operations.wake(model, cause="request", now=NOON)
    probe.asks = 1_000_000

    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.FAILED
    assert model.failure_reason.startswith("It did not become ready within 30 s: it takes conn")
    assert timedelta(seconds=30) <= clock.now() - NOON < timedelta(seconds=31)


def test_a_model_on_another_port_is_told_which_one_was_asked(model, tools, probe):
    operations.wake(model, cause="request", now=NOON)
    probe.verdict = Readiness.CLOSED

    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.FAILED
    assert "nothing took connections on port 8080" in model.failure_reason
    assert "0.0.0.0" in model.failure_reason


def test_a_program_that_is_not_there_is_called_so(model, tools, runtime, probe, clock):
    operations.wake(model, cause="request", now=NOON)
    probe.asks = 1_000

    def die(_: object) -> None:
        runtime.exit(runtime.started[0], exit_code=127)
        clock.on_sleep = lambda _: None

    clock.on_sleep = die
    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.FAILED
    assert "a program was not found" in model.failure_reason


def test_a_probe_that_says_never_ends_the_wake_at_once(model, tools, probe, clock):
    operations.wake(model, cause="request", now=NOON)
    probe.verdict = Readiness.FAILED

    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.FAILED
    assert clock.now() == NOON


def test_an_image_the_engine_refuses_fails_the_wake_with_the_reason(model, tools, runtime):
    operations.wake(model, cause="request", now=NOON)
    runtime.refuse_images = {"example.org/echo:1": "There is no image example.org/echo:1."}

    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.FAILED
    assert model.failure_reason == "There is no image example.org/echo:1."
    assert not model.replicas.exclude(status=ReplicaStatus.GONE).exists()


def test_requests_wait_out_the_backoff_and_a_person_does_not(model, tools, probe):
    operations.wake(model, cause="request", now=NOON)
    probe.verdict = Readiness.FAILED
    reconcile(model.pk, tools=tools)

    with pytest.raises(WakeBackoff, match="next try is due in 1 s"):
        operations.wake(model, cause="request", now=NOON, respect_backoff=True)
    operations.wake(model, cause="ada@example.org", now=NOON)

    assert state_of(model) == State.AWAKENING


def test_each_failure_makes_the_next_try_wait_longer(model, tools, probe, clock):
    probe.verdict = Readiness.FAILED
    pauses = []

    for _ in range(5):
        operations.wake(model, cause="request", now=clock.now())
        reconcile(model.pk, tools=tools)
        model.refresh_from_db()
        pauses.append((model.retry_at - clock.now()).total_seconds())

    assert pauses == [1, 5, 30, 120, 120]


def test_putting_to_sleep_while_awakening_stops_the_replica(model, tools, probe, clock, runtime):
    operations.wake(model, cause="request", now=NOON)
    probe.asks = 1_000

    def put_to_sleep(now: object) -> None:
        clock.on_sleep = lambda _: None
        operations.sleep(HostedModel.objects.get(pk=model.pk), cause="ada", now=clock.now())

    clock.on_sleep = put_to_sleep
    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.ASLEEP
    assert runtime.stopped == runtime.started


def test_a_replica_that_died_puts_the_model_to_sleep_and_the_next_wake_is_a_new_one(
    model, tools, runtime, clock
):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    runtime.exit(runtime.started[0], exit_code=139)

    reconcile(model.pk, tools=tools)
    asleep = state_of(model)
    operations.wake(model, cause="request", now=clock.now(), respect_backoff=True)
    reconcile(model.pk, tools=tools)

    assert asleep == State.ASLEEP
    assert state_of(model) == State.AWAKE
    assert len(set(runtime.started)) == 2


def test_a_replica_that_dies_again_at_once_is_a_crash_loop(model, tools, runtime, clock):
    for _ in range(2):
        operations.wake(model, cause="request", now=clock.now())
        reconcile(model.pk, tools=tools)
        runtime.exit(runtime.started[-1], exit_code=1)
        reconcile(model.pk, tools=tools)

    assert state_of(model) == State.FAILED
    assert model.failure_reason == "Its container exited with code 1. Its logs may say why."


def test_a_replica_whose_container_vanished_is_noticed(model, tools, runtime):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    runtime.vanish(runtime.started[0])

    reconcile(model.pk, tools=tools)

    assert state_of(model) == State.ASLEEP
    assert model.replicas.get().exit_code is None


def test_the_waterfall_of_a_wake_is_kept(model, tools, probe, clock):
    operations.wake(model, cause="request", now=NOON)
    probe.asks = 5

    reconcile(model.pk, tools=tools)

    replica = Replica.objects.get()
    assert replica.created_at == replica.started_at == NOON
    assert replica.ready_at == NOON + timedelta(milliseconds=40)


def test_the_container_gets_the_protocols_environment_and_the_owners(host_model, tools, runtime):
    model = host_model(
        protocol="runway", command="classify", options={"size": 3}, environment={"MODE": "fast"}
    )
    operations.wake(model, cause="request", now=NOON)

    reconcile(model.pk, tools=tools)

    (spec,) = runtime.specs.values()
    assert spec.environment["RW_MODEL_OPTIONS"] == '{"size": 3}'
    assert spec.environment["MODE"] == "fast"
    assert spec.port == 9000


def test_a_model_reaches_the_internet_only_where_its_revision_says_so(
    host_model, tools, runtime, routes
):
    for internet in (False, True):
        model = host_model(internet=internet)
        operations.wake(model, cause="test", now=NOON)
        reconcile(model.pk, tools=tools)

    assert [runtime.specs[name].internet for name in runtime.started] == [False, True]
