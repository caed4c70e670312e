"""Whose network is kept: those that were used last, and no more than the operator allows."""

from datetime import timedelta

import pytest
from django.conf import settings

from hosting.lifecycle import holding, operations
from hosting.lifecycle.reconcile import reconcile
from hosting.models import HostedModel
from tests.database.conftest import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


@pytest.fixture
def used(host_model, tools):
    """A model that fell asleep so long ago."""

    def make(**ago):
        model = host_model()
        operations.wake(model, cause="request", now=NOON)
        reconcile(model.pk, tools=tools)
        asleep_since = {"state": "asleep", "state_changed_at": NOON - timedelta(**ago)}
        HostedModel.objects.filter(pk=model.pk).update(**asleep_since)
        return model

    return make


def test_models_that_were_used_last_are_kept_and_never_more_than_allowed(
    used, tools, runtime, monkeypatch
):
    monkeypatch.setattr(settings, "HOLDERS", 2)
    models = [used(hours=hours) for hours in (3, 1, 2)]

    holding.hold(tools=tools)

    assert runtime.held == [holding.key(models[1]), holding.key(models[2])]


def test_a_model_that_may_be_using_one_keeps_it(model, tools, runtime, monkeypatch):
    monkeypatch.setattr(settings, "HOLDERS", 1)
    HostedModel.objects.filter(pk=model.pk).update(state="drowsy")

    holding.hold(tools=tools)

    assert runtime.held == [holding.key(model)]


def test_models_of_the_day_before_yesterday_and_those_never_used_are_not_kept(
    used, model, tools, runtime
):
    used(days=2)

    holding.hold(tools=tools)

    assert runtime.held == []


def test_a_model_that_may_go_out_to_the_internet_joins_none(host_model, tools, runtime):
    model = host_model(internet=True)
    HostedModel.objects.filter(pk=model.pk).update(state="drowsy")

    holding.hold(tools=tools)

    assert runtime.held == []


def test_none_is_kept_where_the_operator_wants_none(used, tools, runtime, monkeypatch):
    monkeypatch.setattr(settings, "HOLDERS", 0)
    used(hours=1)

    holding.hold(tools=tools)

    assert runtime.held == []


def test_only_a_model_that_wakes_joins_its_holder(model, tools, runtime):
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    HostedModel.objects.filter(pk=model.pk).update(desired_replicas=2, max_replicas=2)

    reconcile(model.pk, tools=tools)

    joined = [runtime.specs[name].holder for name in runtime.started]
    assert joined == [holding.key(model), ""]
