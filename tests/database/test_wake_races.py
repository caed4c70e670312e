"""Workers that wake a model at the same moment. In a file of its own: it empties the tables."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections

from hosting import route_table, wire
from hosting.lifecycle import dozing, draining, operations
from hosting.lifecycle.reconcile import reconcile, wake
from hosting.models import HostedModel, Replica, Transition, Wake
from hosting.states import Event, State
from hosting.wire import Asker
from tests.database.conftest import NOON
from tests.worlds import eventually

WORKERS = 8
ASKER = Asker(asked_at=NOON.timestamp())

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("routes")]


def wake_together(model: HostedModel, *, tools) -> None:
    together = threading.Barrier(WORKERS)

    def work(_: int) -> None:
        try:
            together.wait(10)
            wake(model.pk, asker=ASKER, tools=tools)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(work, range(WORKERS)))
    reconcile(model.pk, tools=tools)  # what the sweep does, should all have left it to another
    model.refresh_from_db()


def test_eight_workers_at_once_start_one_replica(model, tools, runtime):
    wake_together(model, tools=tools)

    assert model.state == State.AWAKE
    assert len(runtime.started) == 1
    assert Replica.objects.count() == 1
    assert Wake.objects.count() == 1


@pytest.fixture
def drowsy(model, tools, clock):
    wake(model.pk, asker=ASKER, tools=tools)
    draining.start_draining_idle(now=clock.advance(minutes=5))
    reconcile(model.pk, tools=tools)
    model.refresh_from_db()
    assert model.state == State.DROWSY
    return model


@pytest.fixture
def published(monkeypatch):
    """The routes that went out, in order, from the drowsy model on."""
    sent, send = [], route_table._send

    def keep(routes):
        sent.extend(routes)
        send(routes)

    monkeypatch.setattr(route_table, "_send", keep)
    return sent


def meanwhile(act):
    """What a runtime calls, once, before the waking worker hears that the replica runs."""
    left = [act]

    def once(_name):
        try:
            if left:
                left.pop()()
        finally:
            connections.close_all()  # the thread that resumes has one of its own

    return once


def test_eight_workers_at_once_resume_one_replica(drowsy, model, tools, runtime):
    wake_together(model, tools=tools)

    assert model.state == State.AWAKE
    assert model.lease_until is None
    assert len(runtime.started) == 1
    assert not runtime.find(runtime.started[0]).paused
    assert Transition.objects.filter(event=Event.READY).count() == 2
    assert Transition.objects.filter(event=Event.REQUEST).count() == 2
    assert Wake.objects.count() == 2
    assert route_of(model) == route_table.build(model)


def route_of(model: HostedModel) -> wire.Route:
    return wire.Route.from_json(
        str(route_table.connection().hget(wire.ROUTES_KEY, model.subdomain))
    )


def test_a_wake_from_drowsy_publishes_one_route_the_one_its_rows_make(drowsy, tools, published):
    wake(drowsy.pk, asker=ASKER, tools=tools)

    (route,) = published
    assert (route.state, len(route.replicas)) == (State.AWAKE, 1)
    assert route == route_table.build(HostedModel.objects.get(pk=drowsy.pk))


def test_five_statements_lie_between_a_request_and_the_route_of_a_drowsy_model(
    drowsy, tools, monkeypatch
):
    asked, before_route, send = [], [], route_table._send
    monkeypatch.setattr(
        route_table, "_send", lambda routes: (before_route.append(list(asked)), send(routes))
    )

    def note(execute, sql, params, many, context):
        asked.append(sql.split()[0])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        wake(drowsy.pk, asker=ASKER, tools=tools)

    # Lease and row, replicas; the moves, the wake, the history.
    assert before_route == [["UPDATE", "SELECT", "UPDATE", "INSERT", "INSERT"]]


def test_of_a_resume_that_takes_long_routers_hear_meanwhile(
    drowsy, tools, runtime, published, monkeypatch
):
    monkeypatch.setattr(dozing, "_AT_ONCE_SECONDS", 0.01)
    runtime.on_resume = meanwhile(lambda: eventually(lambda: published))

    wake(drowsy.pk, asker=ASKER, tools=tools)

    assert [each.state for each in published[:2]] == [State.AWAKENING, State.AWAKE]
    assert runtime.resumed == runtime.started


def test_nothing_wakes_that_is_switched_off_amid_its_wake(drowsy, tools, runtime, published):
    mine = HostedModel.objects.get(pk=drowsy.pk)
    runtime.on_resume = meanwhile(lambda: operations.deactivate(mine, cause="ada", now=NOON))

    wake(drowsy.pk, asker=ASKER, tools=tools)

    drowsy.refresh_from_db()
    assert drowsy.state == State.ASLEEP
    assert [each.replicas for each in published if each.replicas] == []
    assert runtime.stopped == runtime.started
    assert drowsy.transitions.filter(event=Event.REQUEST).count() == 1  # that of the fixture


def test_who_is_put_to_sleep_amid_its_wake_is_woken_by_it_once(drowsy, tools, runtime):
    mine = HostedModel.objects.get(pk=drowsy.pk)
    runtime.on_resume = meanwhile(lambda: operations.sleep(mine, cause="ada", now=NOON))

    wake(drowsy.pk, asker=ASKER, tools=tools)

    drowsy.refresh_from_db()
    assert drowsy.state == State.AWAKE
    assert (len(runtime.started), runtime.stopped) == (1, [])
    assert not runtime.find(runtime.started[0]).paused
    assert drowsy.transitions.filter(event=Event.SLEEP).count() == 1


def test_deep_sleep_that_comes_amid_a_wake_stops_nothing_that_serves(drowsy, tools, runtime, clock):
    later = clock.now() + timedelta(hours=1)
    runtime.on_resume = meanwhile(lambda: dozing.deepen(now=later))

    wake(drowsy.pk, asker=ASKER, tools=tools)

    drowsy.refresh_from_db()
    assert drowsy.state == State.AWAKE
    assert (len(runtime.started), runtime.stopped) == (1, [])
    assert route_of(drowsy) == route_table.build(HostedModel.objects.get(pk=drowsy.pk))


def test_a_deploy_amid_a_wake_has_the_new_revision_serve(drowsy, tools, runtime):
    newer = operations.RevisionSpec(image="example.org/echo:2", protocol="http")
    mine = HostedModel.objects.get(pk=drowsy.pk)
    runtime.on_resume = meanwhile(lambda: operations.deploy(mine, revision=newer, created_by=None))

    wake(drowsy.pk, asker=ASKER, tools=tools)

    drowsy.refresh_from_db()
    assert drowsy.state == State.AWAKE
    assert runtime.stopped == runtime.started[:1]
    assert [each.revision_id for each in drowsy.replicas.filter(status="ready")] == [
        drowsy.revision_id
    ]


def test_a_worker_that_stalls_amid_a_wake_serves_nothing_another_has_paused_again(
    drowsy, tools, runtime, clock, monkeypatch
):
    def another_comes_after_the_lease():
        clock.advance(seconds=16)
        reconcile(drowsy.pk, tools=tools)
        assert runtime.find(runtime.started[0]).paused

    def look(routes):
        served.extend(runtime.find(runtime.started[0]) for each in routes if each.replicas)
        send(routes)

    served, send = [], route_table._send
    monkeypatch.setattr(route_table, "_send", look)
    runtime.on_resume = meanwhile(another_comes_after_the_lease)

    wake(drowsy.pk, asker=ASKER, tools=tools)

    drowsy.refresh_from_db()
    assert drowsy.state == State.AWAKE
    assert len(runtime.started) == 1
    assert {each.paused for each in served} == {False}
