"""Nodes that go away with a replica on them: whoever waits is served by another."""

from dataclasses import replace

import pytest

from hosting.lifecycle import operations, starting
from hosting.lifecycle.golden import Answer
from hosting.lifecycle.reconcile import reconcile
from hosting.models import GoldenRequest, HostedModel, Replica, Transition
from hosting.models.replica import ReplicaStatus
from hosting.runtimes.base import Node
from hosting.states import State
from tests.database.conftest import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]

NODES = ["n1", "n2", "n3"]


@pytest.fixture
def runtime(runtime):
    runtime.machines = [Node(name, memory_mb=100_000, cpus=100) for name in NODES]
    return runtime


@pytest.fixture
def waking(model):
    operations.wake(model, cause="request", now=NOON)
    return model


def node_of(runtime, number=-1):
    """The node on which the last replica was started, or that of this number."""
    return runtime.specs[runtime.started[number]].node


def lose_the_first_of(clock, runtime, *, also=lambda: None):
    """While somebody waits for the first replica, its node goes away."""

    def happen(_):
        clock.on_sleep = lambda _: None
        runtime.lose_node(node_of(runtime))
        also()

    clock.on_sleep = happen


def states_of(model):
    moves = Transition.objects.filter(model_id=model.pk).order_by("pk")
    return list(moves.values_list("to_state", flat=True))


def test_a_node_lost_amid_a_wake_costs_the_wake_nothing_but_time(
    waking, tools, runtime, probe, clock
):
    probe.asks = 100
    lose_the_first_of(clock, runtime)

    reconcile(waking.pk, tools=tools)

    assert states_of(waking) == [State.AWAKENING, State.AWAKE]
    assert len(runtime.started) == 2
    assert node_of(runtime, 0) != node_of(runtime, 1)
    first, second = Replica.objects.order_by("pk")
    assert (first.status, first.obituary) == (ReplicaStatus.GONE, "Its machine went away.")
    assert second.status == ReplicaStatus.READY
    waking.refresh_from_db()
    assert (waking.failure_count, waking.retry_at) == (0, None)


def test_the_lease_is_kept_from_the_lost_node_to_the_next(waking, tools, runtime, probe, clock):
    probe.asks = 100
    holders = set()

    def look(_):
        holders.add(HostedModel.objects.get(pk=waking.pk).lease_holder)
        if len(runtime.started) == 1:
            runtime.lose_node(node_of(runtime))

    clock.on_sleep = look
    reconcile(waking.pk, tools=tools)

    assert len(runtime.started) == 2
    assert len(holders) == 1


def test_a_model_put_to_sleep_as_its_node_is_lost_is_not_started_again(
    waking, tools, runtime, probe, clock
):
    probe.asks = 100

    def put_to_sleep():
        operations.sleep(HostedModel.objects.get(pk=waking.pk), cause="ada", now=clock.now())

    lose_the_first_of(clock, runtime, also=put_to_sleep)

    reconcile(waking.pk, tools=tools)

    assert len(runtime.started) == 1
    assert states_of(waking)[-1] == State.ASLEEP


def test_a_worker_that_lost_its_lease_as_the_node_went_starts_nothing_more(
    waking, tools, runtime, probe, clock
):
    probe.asks = 100

    def be_too_late():
        clock.advance(seconds=60)
        mine = HostedModel.objects.filter(pk=waking.pk)
        mine.update(lease_holder="another", lease_until=clock.advance(seconds=60))

    lose_the_first_of(clock, runtime, also=be_too_late)

    reconcile(waking.pk, tools=tools)

    assert len(runtime.started) == 1


def test_machines_that_all_go_away_make_a_wake_wait_and_say_so(waking, tools, runtime, clock):
    runtime.machines = [
        Node(f"n{number}", 100_000, 100) for number in range(starting.MOST_MACHINES)
    ]
    start = runtime.start

    def start_and_lose(spec):
        start(spec)
        runtime.lose_node(spec.node)
        return runtime.find(spec.name)

    runtime.start = start_and_lose
    tools.probe.asks = 100

    reconcile(waking.pk, tools=tools)

    waking.refresh_from_db()
    assert waking.state == State.AWAKENING
    assert "No machine has" in waking.wait_reason
    assert not Replica.objects.exclude(status=ReplicaStatus.GONE).exists()


def test_a_new_revision_is_not_blamed_for_the_node_it_was_started_on(
    waking, tools, runtime, probe, clock
):
    reconcile(waking.pk, tools=tools)
    newer = operations.RevisionSpec(image="example.org/echo:2", protocol="http")
    deployed = operations.deploy(waking, revision=newer, created_by=None)
    probe.asks = len(probe.asked) + 100
    lose_the_first_of(clock, runtime)

    reconcile(waking.pk, tools=tools)

    deployed.refresh_from_db()
    waking.refresh_from_db()
    assert deployed.rejected_at is None
    assert waking.revision_id == deployed.pk
    serving = Replica.objects.filter(status=ReplicaStatus.READY, revision=deployed).get()
    assert serving.node in [each.name for each in runtime.machines]


def test_a_new_revision_is_not_blamed_for_a_node_lost_during_its_golden_requests(
    waking, tools, runtime
):
    GoldenRequest.objects.create(model=waking, name="a greeting", input={"text": "hello"})

    def hang_up_once(*_, **__):
        if len(runtime.started) == 1:
            runtime.lose_node(node_of(runtime))
            raise ConnectionResetError
        return Answer(200, b"{}")

    reconcile(waking.pk, tools=replace(tools, ask=hang_up_once))

    assert states_of(waking) == [State.AWAKENING, State.AWAKE]
    assert len(runtime.started) == 2


def test_two_nodes_lost_in_a_row_are_no_crash_loop(waking, tools, runtime, clock):
    for _ in range(2):
        reconcile(waking.pk, tools=tools)
        runtime.lose_node(node_of(runtime))
        reconcile(waking.pk, tools=tools)
        operations.wake(waking, cause="request", now=clock.now(), respect_backoff=True)
    reconcile(waking.pk, tools=tools)

    assert State.FAILED not in states_of(waking)
    waking.refresh_from_db()
    assert (waking.state, waking.failure_count) == (State.AWAKE, 0)


def test_what_a_dead_worker_began_on_a_lost_node_is_cleared_away(waking, tools, runtime, clock):
    runtime.start_then_raise = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reconcile(waking.pk, tools=tools)
    runtime.lose_node(node_of(runtime))
    clock.advance(seconds=60)

    reconcile(waking.pk, tools=tools)

    assert states_of(waking)[-1] == State.AWAKE
    first, second = Replica.objects.order_by("pk")
    assert (first.status, second.status) == (ReplicaStatus.GONE, ReplicaStatus.READY)
