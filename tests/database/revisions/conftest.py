"""A model that is awake, and one that tries a revision beside the current one."""

import pytest

from hosting import nudges
from hosting.lifecycle import operations
from hosting.lifecycle.reconcile import reconcile
from tests.database.conftest import NOON
from tests.database.revisions.steps import deploy


@pytest.fixture
def awake(host_model, tools):
    model = host_model(query_path="/old")
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    model.refresh_from_db()
    return model


@pytest.fixture
def canary(awake, tools):
    """A model that tries revision 2 with a tenth of its queries."""
    deploy(awake, share=10)
    reconcile(awake.pk, tools=tools)
    awake.refresh_from_db()
    return awake


@pytest.fixture
def nudged(monkeypatch):
    found = []
    monkeypatch.setattr(nudges, "reconcile", lambda _, *, model_id: found.append(model_id))
    return found
