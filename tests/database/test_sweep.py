"""The sweep: whatever was lost or left half done is found again."""

from datetime import timedelta

import pytest

from hosting import nudges, route_table, wire
from hosting.errors import ReplicaFailed
from hosting.lifecycle import operations
from hosting.lifecycle import sweep as sweeping
from hosting.lifecycle.reconcile import reconcile
from hosting.models import Build, HostedModel
from hosting.models.build import BuildStatus
from hosting.runtimes.base import ReplicaSpec, Resources
from tests.database.conftest import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


@pytest.fixture
def nudged(monkeypatch):
    """The models a worker was asked to look at, and the images to build."""
    found = []
    monkeypatch.setattr(nudges, "reconcile", lambda _, *, model_id: found.append(model_id))
    monkeypatch.setattr(nudges, "send", lambda _, task, *, slug: found.append(slug))
    return found


def test_a_wake_whose_nudge_was_lost_is_found(model, tools, nudged):
    operations.wake(model, cause="request", now=NOON)

    sweeping.sweep(tools=tools)

    assert nudged == [model.pk]


def test_a_model_somebody_is_working_on_is_left_alone(model, tools, nudged):
    operations.wake(model, cause="request", now=NOON)
    HostedModel.objects.filter(pk=model.pk).update(lease_until=NOON + timedelta(seconds=5))

    sweeping.sweep(tools=tools)

    assert nudged == []


def test_a_container_that_died_while_nobody_looked_is_found(model, tools, runtime, nudged):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    runtime.exit(runtime.started[0])

    sweeping.sweep(tools=tools)

    assert nudged == [model.pk]


def test_a_running_replica_is_adopted_not_stopped(model, tools, runtime, nudged):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)

    sweeping.sweep(tools=tools)

    assert runtime.stopped == nudged == []


def test_a_container_without_a_row_is_stopped(tools, runtime, nudged):
    runtime.start(
        ReplicaSpec(name="test-r99", image="x", port=1, environment={}, resources=Resources())
    )

    sweeping.sweep(tools=tools)

    assert runtime.stopped == ["test-r99"]


def test_a_container_that_can_not_be_stopped_keeps_nobody_waiting(
    model, tools, runtime, nudged, monkeypatch
):
    runtime.start(
        ReplicaSpec(name="test-r99", image="x", port=1, environment={}, resources=Resources())
    )
    operations.wake(model, cause="request", now=NOON)
    monkeypatch.setattr(runtime, "stop", _refuse)

    sweeping.sweep(tools=tools)

    assert nudged == [model.pk]


def _refuse(name, **_):
    raise ReplicaFailed(f"{name} could not be removed: device or resource busy")


def test_a_stop_that_was_cut_short_is_finished(model, tools, runtime, nudged):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    HostedModel.objects.filter(pk=model.pk).update(state="asleep")

    sweeping.sweep(tools=tools)

    assert nudged == [model.pk]


def test_an_engine_that_is_down_does_not_end_the_round(model, tools, runtime, nudged):
    operations.wake(model, cause="request", now=NOON)
    runtime.available = False

    sweeping.sweep(tools=tools)

    assert nudged == [model.pk]


def test_the_build_of_a_dead_builder_is_taken_up_again(
    tools, nudged, db, django_capture_on_commit_callbacks
):
    Build.objects.create(
        slug="echo",
        fingerprint="f",
        runtime="fake",
        status=BuildStatus.RUNNING,
        lease_until=NOON - timedelta(seconds=1),
    )

    with django_capture_on_commit_callbacks(execute=True):
        sweeping.sweep(tools=tools)
        sweeping.sweep(tools=tools)

    assert nudged == ["echo"]  # once: it may be of a recipe that nobody builds any more


def test_an_emptied_redis_gets_its_route_table_back(model, tools, nudged):
    sweeping.sweep(tools=tools)
    route_table.connection().flushall()

    sweeping.sweep(tools=tools)

    found = route_table.connection().hget(wire.ROUTES_KEY, model.subdomain)
    assert wire.Route.from_json(found).model_id == model.pk
