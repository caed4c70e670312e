"""Canaries that fail, workers that die beside them, and orders that make no sense."""

from datetime import timedelta

import pytest

from hosting.errors import InvalidValue, NoCanary
from hosting.lifecycle import operations
from hosting.lifecycle import sweep as sweeping
from hosting.lifecycle.reconcile import reconcile
from hosting.models import HostedModel
from hosting.protocols.base import Readiness
from hosting.states import State
from tests.database.conftest import NOON
from tests.database.revisions.steps import NEWER, deploy, route_of, runs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


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
