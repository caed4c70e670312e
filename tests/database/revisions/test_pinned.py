"""Pinned revisions: each at its own address, beside the current one, until it is quiet."""

from datetime import timedelta

import pytest

from hosting.lifecycle import operations, targets
from hosting.lifecycle.reconcile import reconcile
from hosting.models import Revision, Target
from hosting.protocols.base import Readiness
from tests.database.conftest import NOON
from tests.database.revisions.steps import deploy, route_of, runs
from workers import tasks

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


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
