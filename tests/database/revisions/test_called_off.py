"""A revision that fails more than the one before it gives way, and nobody is overruled."""

from datetime import timedelta

import pytest

from hosting.lifecycle import operations, trials
from hosting.lifecycle.reconcile import reconcile
from hosting.protocols.base import Readiness
from tests.database.conftest import NOON
from tests.database.revisions.steps import NEWEST, deploy, route_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


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
