"""What a round of the sweep has to do: all of it is named, and a model at rest names nothing."""

from dataclasses import astuple
from datetime import timedelta

import pytest

from hosting.lifecycle import due
from hosting.models import Build, HostedModel, Replica, Revision, Target
from hosting.models.build import BuildStatus
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def become(model: HostedModel, **fields: object) -> HostedModel:
    HostedModel.objects.filter(pk=model.pk).update(**fields)
    model.refresh_from_db()
    return model


def with_replica(model: HostedModel, *, status: str = "ready", **fields: object) -> Replica:
    fields = {"revision": model.revision, **fields}
    return Replica.objects.create(
        model=model, status=status, runtime="fake", host="h", port=1, **fields
    )


def another(model: HostedModel, *, number: int = 2) -> Revision:
    return Revision.objects.create(model=model, number=number, image="x:2", protocol="http")


def unfinished(*, at=NOON) -> list[int]:
    return list(due.look(now=at).unfinished)


@pytest.mark.parametrize(
    ("state", "status"),
    [("asleep", "gone"), ("failed", "gone"), ("drowsy", "ready"), ("awake", "ready")],
)
def test_a_model_as_it_should_be_names_nothing(model, state, status):
    with_replica(become(model, state=state), status=status)

    assert not any(astuple(due.look(now=NOON)))


@pytest.mark.parametrize(("quiet_for", "named"), [(4 * MINUTE, False), (5 * MINUTE, True)])
def test_an_awake_model_may_be_idle_from_its_idle_timeout_on(model, quiet_for, named):
    become(model, state="awake", idle_timeout_seconds=300)

    assert due.look(now=NOON + quiet_for).idle is named


def test_a_model_that_never_sleeps_is_not_idle(model):
    become(model, state="awake", min_replicas=1)

    assert not due.look(now=NOON + 60 * MINUTE).idle


@pytest.mark.parametrize(("drowsy_for", "named"), [(29 * MINUTE, False), (30 * MINUTE, True)])
def test_a_drowsy_model_is_due_after_its_time(model, drowsy_for, named):
    become(model, state="drowsy", deep_sleep_after_seconds=1800)

    assert due.look(now=NOON + drowsy_for).drowsy is named


@pytest.mark.parametrize(("state", "named"), [("awake", True), ("asleep", False)])
def test_an_awake_model_with_room_for_replicas_may_be_scaled(model, state, named):
    become(model, state=state, max_replicas=2)

    assert due.look(now=NOON).scaled is named


@pytest.mark.parametrize("state", ["asleep", "drowsy", "failed"])
@pytest.mark.parametrize(
    "setting", [{"min_replicas": 1}, {"warm_windows": ["daily 08:00-18:00"]}], ids=str
)
def test_a_model_that_is_kept_awake_is_named_while_it_rests(model, state, setting):
    become(model, state=state, **setting)

    assert due.look(now=NOON).kept_awake


@pytest.mark.parametrize("gone", [{"active": False}, {"deleted_at": NOON}], ids=str)
def test_a_model_that_may_not_wake_is_not_kept_awake(model, gone):
    become(model, min_replicas=1, **gone)

    assert not due.look(now=NOON).kept_awake


@pytest.mark.parametrize(("share", "part"), [(None, "pinned"), (0, "on_trial"), (10, "on_trial")])
def test_a_revision_beside_the_current_one_is_pinned_or_on_trial(model, share, part):
    Target.objects.create(model=model, revision=another(model), share=share)

    found = due.look(now=NOON)

    assert (found.pinned, found.on_trial) == (part == "pinned", part == "on_trial")


@pytest.mark.parametrize(("ago", "named"), [(15 * MINUTE, True), (16 * MINUTE, False)])
def test_a_revision_deployed_a_moment_ago_is_on_trial(model, ago, named):
    become(model, previous_revision=another(model), revision_changed_at=NOON - ago)

    assert due.look(now=NOON).on_trial is named


@pytest.mark.parametrize(("until", "named"), [(NOON - MINUTE, True), (NOON + MINUTE, False)])
def test_a_build_is_abandoned_when_its_lease_has_ended(until, named):
    Build.objects.create(slug="echo", status=BuildStatus.RUNNING, lease_until=until)

    assert due.look(now=NOON).abandoned_build is named


@pytest.mark.parametrize("state", ["awakening", "draining"])
def test_a_model_on_its_way_is_unfinished(model, state):
    become(model, state=state)

    assert unfinished() == [model.pk]


@pytest.mark.parametrize("state", ["asleep", "failed"])
@pytest.mark.parametrize("status", ["starting", "ready", "stopping"])
def test_a_resting_model_with_a_replica_is_unfinished(model, state, status):
    with_replica(become(model, state=state), status=status)

    assert unfinished() == [model.pk]


@pytest.mark.parametrize("status", ["starting", "draining", "stopping"])
def test_an_awake_model_with_a_replica_under_way_is_unfinished_and_named_once(model, status):
    with_replica(become(model, state="awake"))
    with_replica(model, status=status)
    with_replica(model, status=status)

    assert unfinished() == [model.pk]


@pytest.mark.parametrize("current", [True, False], ids=["another is current", "none is current"])
def test_an_awake_model_with_a_replica_of_an_unused_revision_is_unfinished(model, current):
    with_replica(become(model, state="awake"))
    become(model, revision=another(model) if current else None)

    assert unfinished() == [model.pk]


def test_a_replica_of_a_revision_in_use_beside_the_current_one_is_none_too_many(model):
    beside = another(model)
    Target.objects.create(model=model, revision=beside, share=10)
    with_replica(become(model, state="awake"), revision=beside)

    assert unfinished() == []


@pytest.mark.parametrize("status", ["starting", "gone"])
def test_an_awake_model_without_a_replica_of_a_revision_in_use_is_unfinished(model, status):
    beside = another(model)
    Target.objects.create(model=model, revision=beside, share=10)
    with_replica(become(model, state="awake", retry_at=NOON + MINUTE), revision=beside)
    Replica.objects.update(status=status)

    assert unfinished() == [model.pk]


def test_what_failed_a_moment_ago_is_tried_again_in_its_time(model):
    with_replica(become(model, state="awake", retry_at=NOON + MINUTE), status="starting")
    Target.objects.create(model=model, revision=another(model), retry_at=NOON + MINUTE)

    assert unfinished() == []
    assert unfinished(at=NOON + MINUTE) == [model.pk]


@pytest.mark.parametrize(
    ("until", "named"),
    [
        (NOON - MINUTE, True),
        (NOON + timedelta(seconds=15), False),
        (NOON + 60 * MINUTE, True),  # its clock was set back since
    ],
)
def test_a_model_somebody_is_at_is_left_to_them(model, until, named):
    become(model, state="awakening", lease_holder="another", lease_until=until)

    assert unfinished() == ([model.pk] if named else [])
