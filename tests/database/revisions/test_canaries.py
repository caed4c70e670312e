"""A canary runs beside the current revision, takes its share, and is promoted or aborted."""

import pytest

from hosting.lifecycle import operations
from hosting.lifecycle import sweep as sweeping
from hosting.lifecycle.reconcile import reconcile
from hosting.models import Replica
from tests.database.conftest import NOON
from tests.database.revisions.steps import NEWEST, deploy, route_of, runs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


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
