"""Canaries, pinned revisions, golden requests, rollbacks: who runs, who gets the requests."""

import threading
from datetime import timedelta

import pytest

from hosting import nudges, route_table
from hosting.errors import InvalidValue, NoCanary
from hosting.lifecycle import operations, targets, trials
from hosting.lifecycle import sweep as sweeping
from hosting.lifecycle.golden import Answer
from hosting.lifecycle.reconcile import reconcile
from hosting.lifecycle.tools import Tools
from hosting.models import GoldenRequest, HostedModel, Replica, Revision, Target
from hosting.models.replica import ReplicaStatus
from hosting.protocols.base import Readiness
from hosting.states import State
from tests.database.conftest import NOON
from workers import tasks

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]

NEWER = operations.RevisionSpec(image="example.org/echo:2", protocol="http", query_path="/new")
NEWEST = operations.RevisionSpec(image="example.org/echo:3", protocol="http")


@pytest.fixture
def awake(host_model, tools):
    model = host_model(query_path="/old")
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    model.refresh_from_db()
    return model


@pytest.fixture
def canary(awake, tools):
    """A model that tries revision 2 with a tenth of its queries."""
    deploy(awake, share=10)
    reconcile(awake.pk, tools=tools)
    awake.refresh_from_db()
    return awake


@pytest.fixture
def nudged(monkeypatch):
    found = []
    monkeypatch.setattr(nudges, "reconcile", lambda _, *, model_id: found.append(model_id))
    return found


def deploy(model, spec=NEWER, *, share=None, now=NOON):
    return operations.deploy(model, revision=spec, created_by=None, canary_share=share, now=now)


def route_of(model):
    return route_table.build(HostedModel.objects.get(pk=model.pk))


def runs(model):
    """The revisions that have a replica, and how it is."""
    rows = model.replicas.exclude(status=ReplicaStatus.GONE).order_by("pk")
    return [(each.revision.number, each.status) for each in rows]


# --- a canary: faults first


def test_a_canary_that_does_not_start_leaves_everything_as_it_was(awake, tools, runtime):
    runtime.refuse_images = {NEWER.image: "There is no image example.org/echo:2."}

    tried = deploy(awake, share=10)
    reconcile(awake.pk, tools=tools)

    tried.refresh_from_db()
    assert tried.rejected_reason == "There is no image example.org/echo:2."
    assert route_of(awake).beside == ()
    assert runs(awake) == [(1, "ready")]


def test_a_worker_that_died_while_a_canary_started_is_made_up_for(awake, tools, runtime, nudged):
    deploy(awake, share=10)
    runtime.start_then_raise = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reconcile(awake.pk, tools=tools)

    sweeping.sweep(tools=tools)
    reconcile(awake.pk, tools=tools)

    assert nudged[-1] == awake.pk
    assert len(runtime.started) == 2
    assert len(route_of(awake).beside[0].replicas) == 1


def test_a_worker_that_died_before_it_began_a_canary_is_made_up_for(awake, tools, nudged):
    deploy(awake, share=10)
    nudged.clear()

    sweeping.sweep(tools=tools)

    assert nudged == [awake.pk]


def test_a_canary_that_crashes_is_replaced_and_the_current_one_goes_on(canary, tools, runtime):
    current = route_of(canary).replicas
    runtime.exit(runtime.started[1])

    reconcile(canary.pk, tools=tools)

    canary.refresh_from_db()
    assert canary.state == State.AWAKE
    assert route_of(canary).replicas == current
    assert runs(canary) == [(1, "ready"), (2, "ready")]
    assert len(runtime.started) == 3


def test_a_canary_that_crashes_and_does_not_start_again_is_tried_later(
    canary, tools, runtime, probe, clock, nudged
):
    runtime.exit(runtime.started[1])
    probe.verdict = Readiness.FAILED
    reconcile(canary.pk, tools=tools)
    beside = route_of(canary).beside[0]
    nudged.clear()
    sweeping.sweep(tools=tools)
    at_once = list(nudged)
    clock.advance(seconds=31)
    probe.verdict = Readiness.READY

    sweeping.sweep(tools=tools)
    reconcile(canary.pk, tools=tools)

    assert (beside.state, beside.replicas) == ("failed", ())
    assert at_once == []
    assert runs(canary) == [(1, "ready"), (2, "ready")]


def test_the_current_one_that_crashes_beside_a_canary_is_replaced(canary, tools, runtime):
    runtime.exit(runtime.started[0])

    reconcile(canary.pk, tools=tools)

    route = route_of(canary)
    assert sorted(runs(canary)) == [(1, "ready"), (2, "ready")]
    assert (route.revision, len(route.replicas), len(route.beside[0].replicas)) == (1, 1, 1)


def test_the_current_one_that_crashes_while_a_canary_starts_is_noticed_at_once(
    awake, tools, runtime, clock, probe
):
    deploy(awake, share=10)
    probe.asks = 1_000

    def crash(_):
        clock.on_sleep = lambda _: None
        runtime.exit(runtime.started[0])

    clock.on_sleep = crash
    reconcile(awake.pk, tools=tools)

    awake.refresh_from_db()
    assert awake.state == State.ASLEEP
    assert clock.now() - NOON < timedelta(seconds=1)


def test_a_canary_aborted_while_it_starts_is_stopped(awake, tools, runtime, clock, probe):
    deploy(awake, share=10)
    probe.asks = 1_000

    def abort(_):
        clock.on_sleep = lambda _: None
        current = HostedModel.objects.get(pk=awake.pk)
        operations.abort_canary(current, by=None, now=NOON)

    clock.on_sleep = abort
    reconcile(awake.pk, tools=tools)

    assert runs(awake) == [(1, "ready")]
    assert runtime.stopped == runtime.started[1:]


def test_there_is_nothing_to_promote_or_abort_without_a_canary(awake):
    for end in (operations.abort_canary, operations.promote):
        with pytest.raises(NoCanary):
            end(awake, by=None, now=NOON)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"number": 9, "share": 10}, "no revision 9"),
        ({"number": 1, "share": 10}, "current revision already"),
        ({"number": 2, "share": 101}, "0 to 100"),
        ({"number": 2, "share": -1}, "0 to 100"),
    ],
)
def test_a_canary_that_makes_no_sense_is_refused(canary, wanted, says):
    with pytest.raises(InvalidValue, match=says):
        operations.start_canary(canary, created_by=None, now=NOON, **wanted)


# --- a canary: its life


def test_a_canary_takes_its_share_beside_the_current_one(canary):
    route = route_of(canary)

    beside = route.beside[0]
    assert (route.revision, route.query_path, len(route.replicas)) == (1, "/old", 1)
    assert (beside.revision, beside.query_path, beside.share) == (2, "/new", 10)
    assert beside.replicas[0] != route.replicas[0]


def test_its_share_can_change(canary):
    operations.start_canary(canary, number=2, share=50, created_by=None, now=NOON)

    assert [each.share for each in route_of(canary).beside] == [50]


def test_a_promoted_canary_takes_over_with_the_replica_it_has(canary, tools, runtime, say):
    its_own = route_of(canary).beside[0].replicas
    say(canary, generation=10**6)

    operations.promote(canary, by=None, now=NOON)
    reconcile(canary.pk, tools=tools)

    route = route_of(canary)
    assert (route.revision, route.replicas, route.beside) == (2, its_own, ())
    assert len(runtime.started) == 2
    assert runtime.stopped == runtime.started[:1]


def test_an_aborted_canary_is_stopped_when_nobody_uses_it_any_more(canary, tools, runtime, say):
    replica = Replica.objects.latest("pk")
    say(canary, generation=10**6, in_flight=1, replicas_in_use=(replica.pk,))
    operations.abort_canary(canary, by=None, now=NOON)
    reconcile(canary.pk, tools=tools)
    in_use = list(runtime.stopped)
    say(canary, generation=10**6)

    reconcile(canary.pk, tools=tools)

    assert route_of(canary).beside == ()
    assert (in_use, runtime.stopped) == ([], [replica.name])


def test_a_deploy_ends_a_canary(canary, tools):
    deploy(canary, NEWEST)
    reconcile(canary.pk, tools=tools)

    route = route_of(canary)
    assert (route.revision, route.beside) == (3, ())


def test_another_canary_takes_the_place_of_the_first(canary, tools):
    deploy(canary, NEWEST, share=20)

    reconcile(canary.pk, tools=tools)

    assert [(each.revision, each.share) for each in route_of(canary).beside] == [(3, 20)]


def test_a_canary_sleeps_and_wakes_with_its_model(canary, tools, runtime):
    operations.sleep(canary, cause="ada", now=NOON)
    reconcile(canary.pk, tools=tools)
    asleep = runs(canary)

    operations.wake(canary, cause="request", now=NOON)
    reconcile(canary.pk, tools=tools)

    assert asleep == []
    assert runs(canary) == [(1, "ready"), (2, "ready")]
    assert route_of(canary).beside[0].share == 10


def test_a_canary_dozes_with_its_model_and_both_are_resumed(
    canary, tools, runtime, clock, say, nudged
):
    now = clock.advance(minutes=6)
    say(canary, at=now, idle=360.0, beside={2: 360.0})
    sweeping.sweep(tools=tools)
    canary.refresh_from_db()
    say(canary, at=now, released=True)
    reconcile(canary.pk, tools=tools)

    operations.wake(canary, cause="request", now=now)
    reconcile(canary.pk, tools=tools)

    route = route_of(canary)
    assert sorted(runtime.paused) == sorted(runtime.resumed) == sorted(runtime.started)
    assert (len(route.replicas), len(route.beside[0].replicas)) == (1, 1)


def test_a_model_of_several_replicas_gives_a_canary_its_share_of_them(canary, tools):
    operations.change_settings(canary, min_replicas=4, max_replicas=4)
    operations.start_canary(canary, number=2, share=50, created_by=None, now=NOON)

    reconcile(canary.pk, tools=tools)

    route = route_of(canary)
    assert (len(route.replicas), len(route.beside[0].replicas)) == (4, 2)


def test_a_deploy_switches_when_as_many_new_replicas_answer_as_are_needed(awake, tools):
    operations.change_settings(awake, min_replicas=2, max_replicas=2)
    reconcile(awake.pk, tools=tools)
    deploy(awake)
    new = awake.revisions.get(number=2)
    Replica.objects.create(
        model=awake, revision=new, runtime="fake", status="ready", host="h", port=1
    )
    with_one = route_of(awake)

    reconcile(awake.pk, tools=tools)

    assert (with_one.revision, len(with_one.replicas)) == (1, 2)
    assert (route_of(awake).revision, len(route_of(awake).replicas)) == (2, 2)


# --- pinned


def test_a_pinned_revision_runs_beside_the_current_one_and_takes_no_traffic(awake, tools):
    deploy(awake)
    reconcile(awake.pk, tools=tools)

    operations.reach(awake, number=1, now=NOON)
    reconcile(awake.pk, tools=tools)

    route = route_of(awake)
    beside = route.beside[0]
    assert (route.revision, beside.revision, beside.share) == (2, 1, None)
    assert (len(route.replicas), len(beside.replicas)) == (1, 1)


@pytest.mark.parametrize("number", [1, 9])
def test_reaching_the_current_or_an_unknown_revision_starts_nothing(awake, tools, number):
    assert not operations.reach(awake, number=number, now=NOON)
    assert not Target.objects.exists()


def test_a_request_for_a_pinned_revision_wakes_model_and_revision(
    host_model, tools, monkeypatch, runtime
):
    model = host_model()
    deploy(model)
    monkeypatch.setattr(tasks, "tools", lambda: tools)

    tasks.wake_model(model_id=model.pk, revision=1)

    assert sorted(runs(model)) == [(1, "ready"), (2, "ready")]


def test_a_pinned_revision_that_does_not_start_says_why_and_rejects_nobody(awake, tools, runtime):
    deploy(awake)
    reconcile(awake.pk, tools=tools)
    runtime.refuse_images = {"example.org/echo:1": "No room for it."}

    operations.reach(awake, number=1, now=NOON)
    reconcile(awake.pk, tools=tools)

    beside = route_of(awake).beside[0]
    assert (beside.state, beside.failure_reason) == ("failed", "No room for it.")
    assert beside.retry_at == (NOON + timedelta(seconds=30)).timestamp()
    assert not Revision.objects.exclude(rejected_at=None).exists()


def test_a_rejected_revision_can_be_looked_at_by_its_address(awake, tools, probe):
    probe.verdict = Readiness.FAILED
    deploy(awake)
    reconcile(awake.pk, tools=tools)
    probe.verdict = Readiness.READY

    operations.reach(awake, number=2, now=NOON)
    reconcile(awake.pk, tools=tools)

    assert len(route_of(awake).beside[0].replicas) == 1
    assert Revision.objects.get(model=awake, number=2).admitted_at is None


@pytest.mark.parametrize(
    ("quiet_for", "stays"), [({1: 301.0}, False), ({}, False), ({1: 10.0}, True)]
)
def test_a_pinned_revision_is_let_go_of_when_it_is_quiet(awake, tools, say, quiet_for, stays):
    deploy(awake)
    operations.reach(awake, number=1, now=NOON)
    now = NOON + timedelta(seconds=301)
    say(awake, at=now, beside=quiet_for)

    targets.let_quiet_ones_go(now=now)

    assert Target.objects.exists() is stays


def test_a_pinned_revision_was_asked_for_too_lately_to_be_let_go(awake, say):
    deploy(awake)
    operations.reach(awake, number=1, now=NOON)

    targets.let_quiet_ones_go(now=NOON + timedelta(seconds=299))

    assert Target.objects.exists()


def test_a_pinned_revision_sleeps_with_its_model(awake, tools):
    deploy(awake)
    operations.reach(awake, number=1, now=NOON)
    reconcile(awake.pk, tools=tools)

    operations.sleep(awake, cause="ada", now=NOON)
    reconcile(awake.pk, tools=tools)
    operations.wake(awake, cause="request", now=NOON)
    reconcile(awake.pk, tools=tools)

    assert runs(awake) == [(2, "ready")]


# --- golden requests


@pytest.fixture
def golden(awake):
    return GoldenRequest.objects.create(
        model=awake, name="a greeting", input={"text": "hello"}, expected_keys=["text"]
    )


def answering(tools, ask):
    """The same tools, where models answer so."""
    return Tools(runtime=tools.runtime, probe=tools.probe, clock=tools.clock, ask=ask)


def hanging_until(released):
    """A model that answers only then."""

    def ask(*_, **__):
        released.wait(30)
        return Answer(200, b"{}")

    return ask


def test_a_revision_that_fails_a_golden_request_takes_no_traffic(awake, golden, tools):
    tried = deploy(awake)

    reconcile(awake.pk, tools=answering(tools, lambda *_, **__: Answer(500, b"{}")))

    tried.refresh_from_db()
    assert "“a greeting” failed: it answered 500 instead of 200" in tried.rejected_reason
    assert tried.admitted_at is None
    assert route_of(awake).revision == 1
    assert runs(awake) == [(1, "ready")]


def test_a_golden_request_that_hangs_rejects_the_revision(awake, golden, tools):
    golden.timeout_seconds = 1
    golden.save()
    released = threading.Event()
    tried = deploy(awake)

    reconcile(awake.pk, tools=answering(tools, hanging_until(released)))
    released.set()

    tried.refresh_from_db()
    assert "“a greeting” failed: it did not answer within 1 s" in tried.rejected_reason
    assert route_of(awake).revision == 1


@pytest.mark.parametrize("fault", [TimeoutError(), ConnectionResetError()])
def test_a_golden_request_that_breaks_rejects_the_revision(awake, golden, tools, fault):
    def break_off(*_, **__):
        raise fault

    tried = deploy(awake, share=10)
    reconcile(awake.pk, tools=answering(tools, break_off))

    tried.refresh_from_db()
    assert "“a greeting” failed" in tried.rejected_reason
    assert route_of(awake).beside == ()


def test_a_revision_deployed_asleep_is_examined_in_its_first_wake(awake, golden, tools):
    operations.sleep(awake, cause="ada", now=NOON)
    reconcile(awake.pk, tools=tools)
    deploy(awake)
    operations.wake(awake, cause="request", now=NOON)

    reconcile(awake.pk, tools=answering(tools, lambda *_, **__: Answer(200, b"[]")))

    awake.refresh_from_db()
    assert (awake.state, awake.revision.number) == (State.AWAKE, 1)


def test_a_revision_that_answers_takes_over_and_is_not_examined_again(awake, golden, tools):
    asked = []

    def ask(host, port, *, path, body, timeout_seconds):
        asked.append((path, body))
        return Answer(200, b'{"text": "hello"}')

    deploy(awake)
    reconcile(awake.pk, tools=answering(tools, ask))
    operations.sleep(awake, cause="ada", now=NOON)
    reconcile(awake.pk, tools=tools)
    operations.wake(awake, cause="request", now=NOON)
    reconcile(awake.pk, tools=answering(tools, ask))

    assert asked == [("/new", b'{"text": "hello"}')]
    assert route_of(awake).revision == 2


def test_a_canary_that_is_aborted_during_its_examination_is_let_go(awake, golden, tools):
    released = threading.Event()
    deploy(awake, share=10)

    def ready_and_aborted(*_, **__):
        Target.objects.filter(model=awake).delete()
        return Readiness.READY

    reconcile(
        awake.pk,
        tools=Tools(
            runtime=tools.runtime,
            probe=ready_and_aborted,
            clock=tools.clock,
            ask=hanging_until(released),
        ),
    )
    reconcile(awake.pk, tools=tools)
    released.set()

    assert runs(awake) == [(1, "ready")]


# --- called off by its error rate


def used(usage_event, model, number, *, ok=0, failed=0, at=NOON, **said):
    """Requests that this revision answered."""
    revision = model.revisions.get(number=number)
    for outcome, status, count in (("ok", 200, ok), ("model_error", 500, failed)):
        for _ in range(count):
            usage_event(
                model, revision_id=revision.pk, outcome=outcome, status=status, at=at, **said
            )


def later(**duration):
    return NOON + timedelta(**duration)


def test_a_deploy_that_fails_more_than_the_one_before_is_rolled_back(
    awake, tools, usage_event, runtime
):
    used(usage_event, awake, 1, ok=30, at=later(hours=-1))
    deploy(awake)
    reconcile(awake.pk, tools=tools)
    used(usage_event, awake, 2, ok=10, failed=15, at=later(seconds=20))

    assert trials.call_off_failing(now=later(seconds=30)) == 1
    awake.refresh_from_db()
    still_serves = route_of(awake).revision
    reconcile(awake.pk, tools=tools)

    rejected = awake.revisions.get(number=2)
    assert rejected.rejected_reason == "15 of its 25 requests failed; of r1's, 0 of 30 did."
    assert (still_serves, route_of(awake).revision) == (2, 1)
    assert trials.call_off_failing(now=later(seconds=40)) == 0


def test_a_revision_deployed_asleep_is_on_trial_from_its_first_wake(
    awake, tools, usage_event, clock
):
    operations.sleep(awake, cause="ada", now=NOON)
    reconcile(awake.pk, tools=tools)
    deploy(awake)
    woken = clock.advance(hours=3)
    operations.wake(awake, cause="request", now=woken)
    reconcile(awake.pk, tools=tools)
    used(usage_event, awake, 2, failed=25, at=woken + timedelta(seconds=10))

    assert trials.call_off_failing(now=woken + timedelta(seconds=20)) == 1


def test_a_changed_share_does_not_begin_the_trial_anew(canary, usage_event):
    used(usage_event, canary, 2, failed=25, at=later(seconds=10))
    operations.start_canary(canary, number=2, share=50, created_by=None, now=later(seconds=20))
    operations.reach(canary, number=2, now=later(seconds=20))

    assert trials.call_off_failing(now=later(seconds=30)) == 1


def test_a_canary_that_fails_more_is_aborted(canary, tools, usage_event):
    used(usage_event, canary, 1, ok=30, failed=1, at=later(seconds=10))
    used(usage_event, canary, 2, ok=5, failed=15, at=later(seconds=10))

    trials.call_off_failing(now=later(seconds=20))

    canary.refresh_from_db()
    assert route_of(canary).beside == ()
    assert canary.revision.number == 1
    assert "15 of its 20 requests failed" in canary.revisions.get(number=2).rejected_reason


@pytest.mark.parametrize("switched_off", [True, False])
def test_rolling_back_can_be_switched_off(canary, usage_event, switched_off):
    operations.change_settings(canary, auto_rollback=not switched_off)
    used(usage_event, canary, 2, failed=25, at=later(seconds=10))

    assert trials.call_off_failing(now=later(seconds=20)) == (0 if switched_off else 1)


def test_a_model_that_was_as_bad_before_is_left_alone(awake, tools, usage_event):
    used(usage_event, awake, 1, ok=10, failed=15, at=later(hours=-1))
    deploy(awake)
    used(usage_event, awake, 2, ok=10, failed=15, at=later(seconds=20))

    assert trials.call_off_failing(now=later(seconds=30)) == 0


def test_what_never_reached_the_revision_is_not_held_against_it(canary, usage_event):
    for outcome in ("refused", "wake_failed", "client_abort"):
        used(usage_event, canary, 2, at=later(seconds=10))
        for _ in range(25):
            usage_event(
                canary,
                revision_id=canary.revisions.get(number=2).pk,
                outcome=outcome,
                status=503,
                counted=False,
                at=later(seconds=10),
            )

    assert trials.call_off_failing(now=later(seconds=20)) == 0


def test_a_person_who_goes_back_is_not_overruled(awake, tools, usage_event):
    deploy(awake)
    operations.roll_back(awake, number=1, by=None, now=NOON)
    used(usage_event, awake, 1, failed=25, at=later(seconds=20))

    assert trials.call_off_failing(now=later(seconds=30)) == 0


def test_after_a_while_a_deploy_has_proved_itself(awake, usage_event):
    deploy(awake)
    used(usage_event, awake, 2, failed=25, at=later(minutes=15))

    assert trials.call_off_failing(now=later(minutes=16)) == 0


def test_a_rollback_that_races_a_new_deploy_leaves_the_new_one(awake, tools, usage_event):
    deploy(awake)
    reconcile(awake.pk, tools=tools)
    used(usage_event, awake, 2, failed=25, at=later(seconds=20))
    awake.refresh_from_db()
    trial = trials.trial_of(awake, now=later(seconds=30))
    deploy(awake, NEWEST, now=later(seconds=30))

    assert not trials._call_off_if_failing(trial, now=later(seconds=31))

    awake.refresh_from_db()
    assert awake.revision.number == 3
    assert awake.revisions.get(number=2).rejected_at is None


def test_a_revision_that_fails_gives_way_to_the_one_that_was_current_not_the_newest(
    awake, tools, probe
):
    deploy(awake)
    reconcile(awake.pk, tools=tools)
    operations.roll_back(awake, number=1, by=None, now=NOON)
    reconcile(awake.pk, tools=tools)
    probe.verdict = Readiness.FAILED

    deploy(awake, NEWEST)
    reconcile(awake.pk, tools=tools)

    awake.refresh_from_db()
    assert awake.revision.number == 1
