"""A clock that is set, forward or back: nothing waits for the length of the step, nothing ends."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
import time_machine

from hosting import route_table, wire
from hosting.lifecycle import draining, due, engine, leases, operations, scaling, set_clock, sweep
from hosting.lifecycle.leases import DURATION
from hosting.lifecycle.reconcile import reconcile
from hosting.models import Build, HostedModel, Replica, Target, Transition, Wake
from hosting.models.build import BuildStatus
from hosting.models.replica import ReplicaStatus
from hosting.protocols.base import Readiness
from hosting.states import Event, State
from tests.database.conftest import NOON
from workers import tasks

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]

BOTH_WAYS = pytest.mark.parametrize("hours", [-1, 1], ids=["back", "forward"])


@pytest.fixture
def set_the_clock(clock):
    """Set it as the worker notices: with its next task."""
    lead = set_clock.Lead()
    set_clock.mend_if_set(lead, clock=clock)

    def change(**step):
        clock.set(**step)
        set_clock.mend_if_set(lead, clock=clock)
        return clock.now()

    return change


@pytest.fixture
def waking(model):
    operations.wake(model, cause="request", now=NOON)
    return model


@pytest.fixture
def awake(waking, tools):
    reconcile(waking.pk, tools=tools)
    waking.refresh_from_db()
    return waking


def read(model):
    return HostedModel.objects.get(pk=model.pk)


# --- a wake under way


@BOTH_WAYS
def test_a_wake_ends_well_when_the_clock_is_set_meanwhile(
    waking, tools, runtime, probe, clock, hours
):
    probe.asks = 10

    def set_it(_):
        if len(probe.asked) == 5:
            clock.set(hours=hours)

    clock.on_sleep = set_it
    reconcile(waking.pk, tools=tools)

    assert read(waking).state == State.AWAKE
    assert len(runtime.started) == 1


def test_a_wake_during_which_the_clock_went_back_has_its_moments_in_order(
    waking, tools, probe, clock
):
    probe.asks = 10
    clock.advance(seconds=1)

    def set_it(_):
        if len(probe.asked) == 5:
            clock.set(hours=-1)

    clock.on_sleep = set_it
    reconcile(waking.pk, tools=tools)

    wake = Wake.objects.get()
    assert wake.seconds >= 0
    assert all(before[1] <= after[1] for before, after in pairwise(wake.moments))
    assert wake.revision.wake_seconds is None or read(waking).revision.wake_seconds >= 0


@BOTH_WAYS
def test_a_start_has_its_whole_budget_whoever_goes_on_with_it(
    waking, tools, runtime, clock, set_the_clock, probe, hours
):
    runtime.start_then_raise = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reconcile(waking.pk, tools=tools)
    HostedModel.objects.update(lease_until=None)
    Replica.objects.update(started_at=NOON)
    set_the_clock(hours=hours)
    began = clock.monotonic()
    probe.asks = 1_000_000

    reconcile(waking.pk, tools=tools)

    model = read(waking)
    assert "did not become ready within 300 s" in model.failure_reason
    assert clock.monotonic() - began == pytest.approx(300, abs=2)


# --- leases


def test_the_lease_of_a_dead_worker_does_not_last_until_the_clock_is_there_again(
    waking, tools, clock
):
    HostedModel.objects.update(lease_holder="dead", lease_until=NOON + DURATION)
    clock.set(hours=-1)

    assert waking.pk in due.look(now=clock.now()).unfinished
    assert reconcile(waking.pk, tools=tools) is True
    assert read(waking).state == State.AWAKE


def test_the_lease_of_a_worker_whose_clock_is_a_little_ahead_is_respected(waking, tools, clock):
    clock.set(seconds=20)
    with leases.lease(waking.pk, clock=clock):
        clock.set(seconds=-20)

        assert reconcile(waking.pk, tools=tools) is False


def test_who_holds_a_lease_notices_that_another_took_it_when_the_clock_went_back(waking, clock):
    with leases.lease(waking.pk, clock=clock) as held:
        clock.set(hours=-1)
        HostedModel.objects.update(lease_holder="another", lease_until=clock.now() + DURATION)

        assert held.renew() is False


def test_an_abandoned_build_is_taken_over_within_its_lease(clock, set_the_clock):
    until = NOON + timedelta(minutes=10)
    build = Build.objects.create(
        slug="echo", fingerprint="f", runtime="fake", status=BuildStatus.RUNNING, lease_until=until
    )

    now = set_the_clock(hours=-1)

    build.refresh_from_db()
    assert build.lease_until <= now + timedelta(minutes=10)


# --- sleep


@BOTH_WAYS
def test_a_drain_waits_for_who_is_inside_when_the_clock_is_set(
    awake, tools, clock, say, set_the_clock, hours
):
    say(awake, in_flight=1)
    operations.sleep(awake, cause="ada", now=NOON)

    set_the_clock(hours=hours)
    reconcile(awake.pk, tools=tools)
    still = read(awake).state
    say(awake, at=clock.advance(seconds=1), generation=read(awake).generation, released=True)
    reconcile(awake.pk, tools=tools)

    assert still == State.DRAINING
    assert read(awake).state == State.ASLEEP


@BOTH_WAYS
def test_a_drain_that_nobody_ends_takes_its_time_and_not_the_clocks(
    awake, tools, clock, say, set_the_clock, hours, settings
):
    operations.sleep(awake, cause="ada", now=NOON)
    set_the_clock(hours=hours)

    now = clock.advance(seconds=settings.DRAIN_TIMEOUT_SECONDS + 1)
    say(awake, at=now, in_flight=1)
    reconcile(awake.pk, tools=tools)

    assert read(awake).state == State.ASLEEP


@BOTH_WAYS
def test_nobody_falls_asleep_while_in_use_because_the_clock_was_set(
    awake, clock, say, set_the_clock, hours
):
    say(awake, in_flight=1)

    now = set_the_clock(hours=hours)

    assert draining.read_reports(now=now).routers == 1
    assert draining.start_draining_idle(now=now) == 0


def test_a_model_used_before_the_clock_went_back_falls_asleep_in_its_time(
    awake, clock, say, usage_event, set_the_clock
):
    usage_event(awake, at=clock.advance(seconds=5))
    set_the_clock(hours=-1)
    say(awake, at=clock.advance(seconds=301), idle=301)

    assert draining.start_draining_idle(now=clock.now()) == 1


def test_a_router_that_died_as_the_clock_went_back_is_not_waited_for(
    awake, tools, clock, say, set_the_clock
):
    say(awake, router="dead", in_flight=1)
    operations.sleep(awake, cause="ada", now=NOON)
    set_the_clock(hours=-1)

    clock.advance(seconds=wire.ROUTER_LEASE_SECONDS + 1)
    reconcile(awake.pk, tools=tools)

    assert read(awake).state == State.ASLEEP


@BOTH_WAYS
def test_a_deploy_waits_for_who_is_inside_the_old_replica(
    awake, tools, clock, say, set_the_clock, hours
):
    old = awake.replicas.get()
    say(awake, in_flight=1, replicas_in_use=(old.pk,))
    newer = operations.RevisionSpec(image="example.org/echo:2", protocol="http")
    operations.deploy(awake, revision=newer, created_by=None)
    reconcile(awake.pk, tools=tools)

    set_the_clock(hours=hours)
    reconcile(awake.pk, tools=tools)
    old.refresh_from_db()
    still = old.status
    later = read(awake).generation
    say(awake, at=clock.advance(seconds=1), generation=later)
    reconcile(awake.pk, tools=tools)
    old.refresh_from_db()

    assert still == ReplicaStatus.DRAINING
    assert old.status == ReplicaStatus.GONE


# --- what waits


def test_a_failed_model_is_tried_again_after_its_pause(waking, tools, probe, clock, set_the_clock):
    probe.verdict = Readiness.FAILED
    reconcile(waking.pk, tools=tools)
    before = read(waking)

    now = set_the_clock(hours=-1)

    model = read(waking)
    assert now <= model.retry_at <= now + timedelta(seconds=120)
    assert model.generation > before.generation  # routers refuse by that time
    assert route_table.build(model).retry_at == model.retry_at.timestamp()


def test_what_serves_shrinks_and_grows_by_the_new_time(awake, clock, say, set_the_clock):
    HostedModel.objects.update(max_replicas=3, desired_replicas=3, needed_at=NOON)
    set_the_clock(hours=-1)

    say(awake, at=clock.advance(seconds=61))

    assert scaling.scale(now=clock.now()) == 1


def test_a_pinned_address_is_let_go_of_and_tried_again_by_the_new_time(awake, set_the_clock):
    newer = operations.RevisionSpec(image="example.org/echo:2", protocol="http")
    revision = operations.deploy(awake, revision=newer, created_by=None)
    target = Target.objects.create(
        model=awake, revision=revision, asked_at=NOON, retry_at=NOON + timedelta(seconds=30)
    )

    now = set_the_clock(hours=-1)

    target.refresh_from_db()
    assert target.asked_at == now
    assert target.retry_at <= now + timedelta(seconds=30)


def test_the_route_table_is_compared_again_although_redis_still_counts_by_the_old_time(
    redis_client, set_the_clock, routes
):
    redis_client.set(sweep.FRESH_KEY, 1, ex=3600)

    set_the_clock(hours=-1)

    assert not redis_client.exists(sweep.FRESH_KEY)


# --- history


def test_what_happened_stays_in_order(awake, tools, clock, set_the_clock):
    set_the_clock(hours=-1)
    operations.sleep(awake, cause="ada", now=clock.advance(seconds=1))
    reconcile(awake.pk, tools=tools)

    moves = Transition.objects.filter(model_id=awake.pk)
    newest = [each.to_state for each in moves]
    assert newest == [State.ASLEEP, State.DRAINING, State.AWAKE, State.AWAKENING]
    assert all(after.at >= before.at for after, before in pairwise(moves))
    assert all(each.ended_at <= clock.now() for each in Wake.objects.all())


def test_the_last_drain_is_the_last_one_written(awake, tools, clock, say):
    say(awake)
    operations.sleep(awake, cause="ada", now=clock.now())
    operations.wake(awake, cause="request", now=clock.now())
    clock.set(seconds=-20)
    draining.machine.apply(awake, Event.IDLE, now=clock.now(), nudge=False)

    assert draining.may_doze(awake)


# --- who notices


def test_a_worker_that_begins_brings_back_what_is_dated_ahead(awake, clock):
    clock.set(hours=-1)

    set_clock.mend_if_set(set_clock.Lead(), clock=clock)

    assert read(awake).state_changed_at == clock.now()


def test_nothing_is_changed_by_a_clock_that_is_merely_adjusted(awake, clock, set_the_clock):
    before = HostedModel.objects.values().get()

    set_the_clock(seconds=-2)
    clock.advance(seconds=30)
    set_the_clock(seconds=3)

    assert HostedModel.objects.values().get() == before


def test_every_task_of_a_worker_looks_at_the_clock_first(awake, runtime, monkeypatch):
    monkeypatch.setattr(engine, "runtime", lambda: runtime)
    monkeypatch.setattr(tasks, "_lead", set_clock.Lead())
    with time_machine.travel(NOON, tick=False) as traveller:
        tasks.tools()
        HostedModel.objects.update(state=State.DRAINING)
        traveller.shift(timedelta(hours=1))
        tasks.tools()
        now = datetime.now(NOON.tzinfo)

    assert read(awake).state_changed_at == now
