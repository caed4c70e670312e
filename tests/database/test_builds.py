"""Catalogue images: built once, watched by everyone, and a wake waits for them."""

from datetime import timedelta

import pytest

from hosting import catalogue
from hosting.lifecycle import builds, operations
from hosting.lifecycle.reconcile import reconcile
from hosting.lifecycle.shutdown import stop_all
from hosting.models import Build
from hosting.models.build import BuildStatus
from hosting.states import State
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def echo(host_model):
    return host_model(image="catalogue:echo", protocol="runway", command="echo")


def test_a_wake_waits_until_the_image_is_built(echo, tools, runtime, clock):
    operations.wake(echo, cause="request", now=NOON)
    reconcile(echo.pk, tools=tools)
    echo.refresh_from_db()
    before = echo.state

    builds.run("echo", runtime=runtime, clock=clock)
    reconcile(echo.pk, tools=tools)

    echo.refresh_from_db()
    assert (before, echo.state) == (State.AWAKENING, State.AWAKE)


def test_a_build_that_fails_fails_the_wake_with_its_error(echo, tools, runtime, clock):
    operations.wake(echo, cause="request", now=NOON)
    runtime.failing_builds.add("echo")

    builds.run("echo", runtime=runtime, clock=clock)
    reconcile(echo.pk, tools=tools)

    echo.refresh_from_db()
    assert echo.state == State.FAILED
    assert "no space left on device" in echo.failure_reason


def test_a_failed_build_is_tried_again_by_a_later_wake(echo, tools, runtime, clock):
    runtime.failing_builds.add("echo")
    builds.run("echo", runtime=runtime, clock=clock)
    runtime.failing_builds.clear()

    clock.advance(seconds=60)
    operations.wake(echo, cause="request", now=clock.now())
    reconcile(echo.pk, tools=tools)
    builds.run("echo", runtime=runtime, clock=clock)
    reconcile(echo.pk, tools=tools)

    echo.refresh_from_db()
    assert echo.state == State.AWAKE


def test_two_builders_do_not_build_the_same_image_at_once(echo, runtime, clock):
    recipe = catalogue.recipe(catalogue.find("echo"))
    Build.objects.create(
        slug="echo",
        fingerprint=recipe.fingerprint,
        runtime="fake",
        status=BuildStatus.RUNNING,
        lease_until=NOON + timedelta(minutes=1),
    )

    builds.run("echo", runtime=runtime, clock=clock)

    assert runtime.built == set()


def test_progress_can_be_read_while_it_builds(echo, runtime, clock):
    said = []

    builds.run("echo", runtime=runtime, clock=clock, say=said.append)

    assert said == ["echo 1/2: Preparing echo", "echo 2/2: Packing echo"]
    assert Build.objects.get().status == BuildStatus.BUILT


def test_shutting_down_leaves_nothing_running(model, tools, runtime):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)

    assert stop_all(tools=tools, now=NOON) == 1

    model.refresh_from_db()
    assert model.state == State.ASLEEP
    assert runtime.replicas() == []
