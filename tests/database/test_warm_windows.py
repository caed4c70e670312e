"""Models that are kept awake in their hours, as the sweep sees them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hosting.errors import InvalidValue
from hosting.lifecycle import draining, operations, scaling
from hosting.lifecycle.reconcile import reconcile
from hosting.models import HostedModel, Revision
from hosting.states import State
from tests.database.conftest import NOON  # a Monday, 14:00 in Berlin

pytestmark = pytest.mark.django_db

OFFICE: dict[str, Any] = {"warm_windows": ["Mon-Fri 13:00-18:00"], "time_zone": "Europe/Berlin"}
BEFORE = datetime(2026, 6, 1, 10, 59, tzinfo=UTC)
AFTER = datetime(2026, 6, 1, 16, 0, tzinfo=UTC)


@pytest.fixture
def warm(model: HostedModel) -> HostedModel:
    operations.change_settings(model, **OFFICE)
    return model


def state_of(model: HostedModel) -> State:
    model.refresh_from_db()
    return model.current_state


def test_a_model_is_woken_when_its_hours_begin(warm):
    scaling.keep_awake(now=BEFORE)
    before = state_of(warm)
    scaling.keep_awake(now=BEFORE + timedelta(minutes=1))

    assert (before, state_of(warm)) == (State.ASLEEP, State.AWAKENING)
    assert warm.transitions.first().cause == "warm window"


def test_one_that_wakes_slowly_is_woken_so_that_it_is_awake_in_time(warm):
    Revision.objects.filter(pk=warm.revision_id).update(slow_wake_seconds=70.0)

    scaling.keep_awake(now=BEFORE)

    assert state_of(warm) == State.AWAKENING


def test_it_does_not_fall_asleep_in_its_hours_and_does_afterwards(warm, tools, clock, routes):
    scaling.keep_awake(now=NOON)
    reconcile(warm.pk, tools=tools)

    draining.start_draining_idle(now=AFTER - timedelta(minutes=1))
    in_time = state_of(warm)
    draining.start_draining_idle(now=AFTER)

    assert (in_time, state_of(warm)) == (State.AWAKE, State.DRAINING)


def test_a_failing_model_is_not_woken_again_before_its_pause_is_over(warm):
    HostedModel.objects.filter(pk=warm.pk).update(
        state=State.FAILED, retry_at=NOON + timedelta(minutes=2)
    )

    scaling.keep_awake(now=NOON)

    assert state_of(warm) == State.FAILED


def test_who_puts_it_to_sleep_in_its_hours_is_obeyed_until_the_next_ones(warm, tools, clock):
    scaling.keep_awake(now=NOON)
    operations.sleep(warm, cause="ada@example.org", now=NOON + timedelta(minutes=1))

    scaling.keep_awake(now=NOON + timedelta(minutes=2))
    obeyed = state_of(warm)
    scaling.keep_awake(now=NOON + timedelta(days=1))

    assert (obeyed, state_of(warm)) == (State.ASLEEP, State.AWAKENING)


@pytest.mark.parametrize("switched", [{"active": False}, {"deleted_at": NOON}])
def test_a_model_that_is_off_or_gone_is_left_alone(warm, switched):
    HostedModel.objects.filter(pk=warm.pk).update(**switched)

    scaling.keep_awake(now=NOON)

    assert state_of(warm) == State.ASLEEP


def test_windows_are_kept_in_one_spelling(model):
    operations.change_settings(model, warm_windows=[" mon - wed 8:00-9:00 ", ""])

    model.refresh_from_db()
    assert model.warm_windows == ["Mon-Wed 08:00-09:00"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"warm_windows": ["whenever"]}, "warm_windows"),
        ({"warm_windows": ["daily 08:00-09:00"] * 21}, "warm_windows"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"wake_routes": ["query", "teapot"]}, "wake_routes"),
        ({"wake_methods": ["BREW"]}, "wake_methods"),
    ],
)
def test_nonsense_is_refused_by_the_field_it_is_in(model, given, field):
    with pytest.raises(InvalidValue) as refused:
        operations.change_settings(model, **given)

    assert refused.value.field == field
