"""Nodes that lack a model's image: whoever waits is served by one that has it."""

from datetime import timedelta

import pytest
from django.conf import settings

from hosting import nudges
from hosting.lifecycle import capacity, operations
from hosting.lifecycle.reconcile import reconcile
from hosting.models import HostedModel, Replica, Transition
from hosting.models.replica import ReplicaStatus
from hosting.runtimes.base import Node
from hosting.states import State

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


@pytest.fixture
def runtime(runtime):
    runtime.machines = [Node(name, 100_000, 100) for name in ("n1", "n2", "n3")]
    return runtime


@pytest.fixture
def wake(model, clock, tools):
    """Have it woken by a request; the model as it is then."""

    def wake():
        operations.wake(model, cause="request", now=clock.now())
        reconcile(model.pk, tools=tools)
        return HostedModel.objects.get(pk=model.pk)

    return wake


@pytest.fixture
def fall_asleep(model, clock, tools):
    def fall_asleep():
        operations.sleep(HostedModel.objects.get(pk=model.pk), cause="ada", now=clock.now())
        while HostedModel.objects.get(pk=model.pk).state != State.ASLEEP:
            clock.advance(seconds=30)
            reconcile(model.pk, tools=tools)

    return fall_asleep


def only_on(runtime, model, *names):
    missing = {each.name for each in runtime.machines} - set(names)
    runtime.nodes_without[model.revision.image] = missing


def states_of(model):
    moves = Transition.objects.filter(model_id=model.pk).order_by("pk")
    return list(moves.values_list("to_state", flat=True))


def test_a_wake_goes_on_to_the_node_that_has_the_image(model, runtime, wake):
    only_on(runtime, model, "n3")

    woken = wake()

    assert states_of(model) == [State.AWAKENING, State.AWAKE]
    assert (woken.failure_count, woken.retry_at) == (0, None)
    assert len(runtime.started) == 1
    serving = Replica.objects.get(status=ReplicaStatus.READY)
    assert serving.node == "n3"
    others = Replica.objects.exclude(pk=serving.pk)
    assert {(each.node, each.status) for each in others} <= {
        ("n1", ReplicaStatus.GONE),
        ("n2", ReplicaStatus.GONE),
    }


def test_the_next_wake_goes_there_at_once(model, runtime, wake, fall_asleep):
    only_on(runtime, model, "n3")
    wake()
    fall_asleep()
    before = Replica.objects.count()

    wake()

    assert Replica.objects.count() == before + 1
    assert Replica.objects.get(status=ReplicaStatus.READY).node == "n3"


def test_a_node_that_was_given_the_image_is_asked_again(model, runtime, wake, clock):
    only_on(runtime, model)
    wake()
    runtime.nodes_without.clear()
    clock.advance(seconds=capacity.LACKING_FOR.total_seconds() + 1)

    woken = wake()

    assert woken.state == State.AWAKE


def test_an_image_that_no_node_has_fails_the_wake_and_says_what_to_do(model, runtime, wake):
    only_on(runtime, model)

    woken = wake()

    assert woken.state == State.FAILED
    assert woken.failure_reason.startswith("No machine has the image “example.org/echo:1”")
    assert "registry" in woken.failure_reason
    assert runtime.started == []
    assert not Replica.objects.exclude(status=ReplicaStatus.GONE).exists()


def test_no_node_is_asked_for_ever_when_there_are_so_many_that_the_first_is_due_again(
    model, runtime, wake, monkeypatch
):
    monkeypatch.setattr(capacity, "LACKING_FOR", timedelta(0))
    only_on(runtime, model)

    woken = wake()

    assert woken.state == State.FAILED
    assert woken.failure_reason.startswith("No machine has the image")


def test_a_wake_waits_for_room_on_the_node_that_has_the_image(
    model, runtime, wake, host_model, monkeypatch, tools, clock
):
    monkeypatch.setattr(settings, "NODE_MEMORY_SHARE", 1.0)
    monkeypatch.setattr(nudges, "reconcile", lambda *_, **__: None)
    runtime.machines = [Node("n1", 1100, 64), Node("n2", 1100, 64), Node("n3", 600, 64)]
    other = host_model()
    only_on(runtime, other, "n3")  # it is the only one there that is asked for
    operations.wake(other, cause="request", now=clock.now())
    reconcile(other.pk, tools=tools)

    woken = wake()

    assert woken.state == State.AWAKENING
    assert "No machine has" in woken.wait_reason
    lacking = Replica.objects.filter(model=woken)
    assert {each.obituary for each in lacking} == {"Its machine has no such image."}
    assert len(lacking) == 2  # and they are not asked at every turn
    assert Replica.objects.get(status=ReplicaStatus.READY).node == "n3"


def test_a_second_replica_goes_to_another_node_than_the_first(model, runtime, wake, clock, tools):
    HostedModel.objects.filter(pk=model.pk).update(min_replicas=2, max_replicas=2)

    wake()
    for _ in range(3):
        clock.advance(seconds=1)
        reconcile(model.pk, tools=tools)

    serving = Replica.objects.filter(status=ReplicaStatus.READY)
    assert len({each.node for each in serving}) == 2
