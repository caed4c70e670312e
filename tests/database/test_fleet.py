"""Several replicas and several revisions: no request is lost while they change."""

from datetime import timedelta

import pytest

from hosting import nudges, route_table
from hosting.errors import InvalidValue
from hosting.lifecycle import operations, scaling
from hosting.lifecycle import sweep as sweeping
from hosting.lifecycle.reconcile import reconcile
from hosting.models import HostedModel, Replica
from hosting.models.replica import ReplicaStatus
from hosting.protocols.base import Readiness
from hosting.states import State
from tests.database.conftest import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]

NEWER = operations.RevisionSpec(image="example.org/echo:2", protocol="http", query_path="/new")


@pytest.fixture
def awake(host_model, tools):
    model = host_model(concurrency=2, query_path="/old")
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    model.refresh_from_db()
    return model


@pytest.fixture
def nudged(monkeypatch):
    """The models a worker was asked to look at."""
    found = []
    monkeypatch.setattr(nudges, "reconcile", lambda _, *, model_id: found.append(model_id))
    return found


def route_of(model):
    return route_table.build(HostedModel.objects.get(pk=model.pk))


def statuses(model):
    return list(model.replicas.order_by("pk").values_list("status", flat=True))


def test_a_setting_that_somebody_else_changes_meanwhile_stays(model):
    as_read_before = HostedModel.objects.get(pk=model.pk)
    operations.change_settings(model, max_replicas=5)

    operations.change_settings(as_read_before, min_replicas=2)

    model.refresh_from_db()
    assert (model.min_replicas, model.max_replicas) == (2, 5)


def test_a_deploy_switches_the_route_when_the_new_replica_answers(awake, tools, runtime, say):
    say(awake, in_flight=1, replicas_in_use=(awake.replicas.get().pk,))

    operations.deploy(awake, revision=NEWER, created_by=None)
    before = route_of(awake)
    reconcile(awake.pk, tools=tools)
    after = route_of(awake)

    assert (before.query_path, after.query_path) == ("/old", "/new")
    assert len(before.replicas) == len(after.replicas) == 1
    assert before.replicas != after.replicas
    assert statuses(awake) == [ReplicaStatus.DRAINING, ReplicaStatus.READY]
    assert runtime.stopped == []


def test_the_old_replica_is_stopped_when_every_router_let_go_of_it(awake, tools, runtime, say):
    old = awake.replicas.get()
    say(awake, router="r1", in_flight=1, replicas_in_use=(old.pk,))
    operations.deploy(awake, revision=NEWER, created_by=None)
    reconcile(awake.pk, tools=tools)
    awake.refresh_from_db()

    say(awake, router="r1")
    say(awake, router="r2", in_flight=1, replicas_in_use=(old.pk,))
    reconcile(awake.pk, tools=tools)
    still_used = list(runtime.stopped)
    say(awake, router="r2", in_flight=1, replicas_in_use=(old.pk + 1,))
    reconcile(awake.pk, tools=tools)

    assert still_used == []
    assert runtime.stopped == [old.name]


def test_a_router_that_has_not_heard_of_the_switch_keeps_the_old_replica(
    awake, tools, runtime, say
):
    say(awake, generation=awake.generation)
    operations.deploy(awake, revision=NEWER, created_by=None)

    reconcile(awake.pk, tools=tools)

    assert runtime.stopped == []


def test_requests_longer_than_the_drain_timeout_do_not_keep_an_old_replica(
    awake, tools, runtime, say, clock
):
    old = awake.replicas.get()
    say(awake, in_flight=1, replicas_in_use=(old.pk,))
    operations.deploy(awake, revision=NEWER, created_by=None)
    reconcile(awake.pk, tools=tools)

    now = clock.advance(seconds=601)
    say(awake, at=now, in_flight=1, replicas_in_use=(old.pk,))
    reconcile(awake.pk, tools=tools)

    assert runtime.stopped == [old.name]


def test_a_revision_that_does_not_start_leaves_the_old_one_serving(awake, tools, runtime):
    first = awake.revision
    runtime.refuse_images = {NEWER.image: "There is no image example.org/echo:2."}

    rejected = operations.deploy(awake, revision=NEWER, created_by=None)
    reconcile(awake.pk, tools=tools)

    awake.refresh_from_db()
    rejected.refresh_from_db()
    assert awake.state == State.AWAKE
    assert awake.revision == first
    assert rejected.rejected_reason == "There is no image example.org/echo:2."
    assert len(route_of(awake).replicas) == 1
    assert runtime.stopped == []


def test_a_revision_deployed_asleep_that_does_not_start_gives_way_in_the_same_wake(
    awake, tools, runtime
):
    operations.sleep(awake, cause="ada", now=NOON)
    reconcile(awake.pk, tools=tools)
    runtime.refuse_images = {NEWER.image: "There is no image example.org/echo:2."}
    operations.deploy(awake, revision=NEWER, created_by=None)

    operations.wake(awake, cause="request", now=NOON)
    reconcile(awake.pk, tools=tools)

    awake.refresh_from_db()
    assert awake.state == State.AWAKE
    assert awake.revision.number == 1


def test_a_revision_that_served_before_is_not_given_up_for_one_bad_start(awake, tools, probe):
    operations.sleep(awake, cause="ada", now=NOON)
    reconcile(awake.pk, tools=tools)
    probe.verdict = Readiness.FAILED

    operations.wake(awake, cause="request", now=NOON)
    reconcile(awake.pk, tools=tools)

    awake.refresh_from_db()
    assert awake.state == State.FAILED
    assert awake.revision.rejected_at is None


def test_a_person_can_go_back_to_an_earlier_revision(awake, tools, runtime):
    operations.deploy(awake, revision=NEWER, created_by=None)
    reconcile(awake.pk, tools=tools)

    operations.roll_back(awake, number=1, by=None)
    reconcile(awake.pk, tools=tools)

    assert route_of(awake).query_path == "/old"
    assert len(runtime.started) == 3
    with pytest.raises(InvalidValue, match="no revision 9"):
        operations.roll_back(awake, number=9, by=None)


def test_a_worker_that_died_in_a_deploy_is_made_up_for(awake, tools, runtime, nudged):
    operations.deploy(awake, revision=NEWER, created_by=None)
    runtime.start_then_raise = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reconcile(awake.pk, tools=tools)

    sweeping.sweep(tools=tools)
    reconcile(awake.pk, tools=tools)

    assert nudged[-1] == awake.pk
    assert len(runtime.started) == 2
    assert route_of(awake).query_path == "/new"


def test_sleep_in_the_middle_of_a_deploy_stops_both(awake, tools, runtime, clock, probe):
    operations.deploy(awake, revision=NEWER, created_by=None)
    probe.asks = 1_000

    def put_to_sleep(now):
        clock.on_sleep = lambda _: None
        operations.sleep(HostedModel.objects.get(pk=awake.pk), cause="ada", now=now)

    clock.on_sleep = put_to_sleep
    reconcile(awake.pk, tools=tools)

    awake.refresh_from_db()
    assert awake.state == State.ASLEEP
    assert sorted(runtime.stopped) == sorted(runtime.started)


def test_waiting_requests_bring_more_replicas_at_once(awake, tools, say, nudged):
    operations.change_settings(awake, max_replicas=3)
    say(awake, in_flight=2, queued=3)

    scaling.scale(now=NOON)
    reconcile(awake.pk, tools=tools)

    assert len(route_of(awake).replicas) == 3


def test_no_load_brings_more_than_the_most(awake, tools, say):
    operations.change_settings(awake, max_replicas=2)
    say(awake, in_flight=2, queued=50)

    scaling.scale(now=NOON)
    reconcile(awake.pk, tools=tools)

    assert len(route_of(awake).replicas) == 2


def test_a_quieter_model_loses_its_replicas_slowly_and_one_by_one(awake, tools, say, runtime):
    operations.change_settings(awake, max_replicas=3)
    say(awake, in_flight=6)
    scaling.scale(now=NOON)
    reconcile(awake.pk, tools=tools)
    counts = []

    for seconds in (30, 61, 62, 122):
        now = NOON + timedelta(seconds=seconds)
        awake.refresh_from_db()
        say(awake, at=now)
        scaling.scale(now=now)
        reconcile(awake.pk, tools=tools)
        counts.append(len(route_of(awake).replicas))

    assert counts == [3, 2, 2, 1]


def test_a_withdrawn_replica_is_stopped_only_when_nobody_uses_it(awake, tools, say, runtime):
    operations.change_settings(awake, max_replicas=2)
    say(awake, in_flight=4)
    scaling.scale(now=NOON)
    reconcile(awake.pk, tools=tools)
    second = Replica.objects.latest("pk")
    HostedModel.objects.filter(pk=awake.pk).update(desired_replicas=1)
    say(awake, generation=10**6, in_flight=1, replicas_in_use=(second.pk,))

    reconcile(awake.pk, tools=tools)
    in_use = list(runtime.stopped)
    say(awake, generation=10**6)
    reconcile(awake.pk, tools=tools)

    assert in_use == []
    assert runtime.stopped == [second.name]


def test_a_withdrawn_replica_that_was_paused_behind_our_back_ends_what_is_inside(
    awake, tools, say, runtime
):
    old = awake.replicas.get()
    operations.deploy(awake, revision=NEWER, created_by=None)
    say(awake, in_flight=1, replicas_in_use=(old.pk,))
    reconcile(awake.pk, tools=tools)
    runtime.pause(old.name)

    reconcile(awake.pk, tools=tools)

    assert statuses(awake) == [ReplicaStatus.DRAINING, ReplicaStatus.READY]
    assert not runtime.find(old.name).paused


def test_a_replica_that_was_paused_behind_our_back_serves_on_while_another_starts(
    awake, tools, runtime, probe, clock
):
    serving = awake.replicas.get().name
    paused = []

    def look(_: object) -> None:
        paused.append(runtime.find(serving).paused)

    def pause(_: object) -> None:
        runtime.pause(serving)
        clock.on_sleep = look

    operations.deploy(awake, revision=NEWER, created_by=None)
    probe.asks = len(probe.asked) + 100
    clock.on_sleep = pause

    reconcile(awake.pk, tools=tools)

    assert paused[0]
    assert not paused[-1]


def test_one_of_two_replicas_that_dies_is_replaced_and_the_model_stays_awake(awake, tools, runtime):
    operations.change_settings(awake, min_replicas=2, max_replicas=2)
    reconcile(awake.pk, tools=tools)
    runtime.exit(runtime.started[0])

    reconcile(awake.pk, tools=tools)

    awake.refresh_from_db()
    assert awake.state == State.AWAKE
    assert len(runtime.started) == 3
    assert len(route_of(awake).replicas) == 2


def test_a_second_replica_that_does_not_start_harms_nobody(awake, tools, runtime, say, probe):
    operations.change_settings(awake, max_replicas=2)
    say(awake, in_flight=4)
    scaling.scale(now=NOON)
    probe.verdict = Readiness.FAILED

    reconcile(awake.pk, tools=tools)

    awake.refresh_from_db()
    assert awake.state == State.AWAKE
    assert awake.revision.rejected_at is None
    assert len(route_of(awake).replicas) == 1
    assert awake.retry_at > NOON


def test_a_model_that_is_always_on_is_woken_and_never_put_to_sleep(
    host_model, tools, clock, nudged
):
    model = host_model(image="example.org/echo:1")
    operations.change_settings(model, min_replicas=1)

    sweeping.sweep(tools=tools)
    reconcile(model.pk, tools=tools)
    clock.advance(hours=1)
    sweeping.sweep(tools=tools)

    model.refresh_from_db()
    assert model.state == State.AWAKE


@pytest.mark.parametrize("bounds", [{"min_replicas": 2}, {"max_replicas": 0}, {"max_replicas": 51}])
def test_bounds_that_make_no_sense_are_refused(awake, bounds):
    with pytest.raises(InvalidValue):
        operations.change_settings(awake, **bounds)
