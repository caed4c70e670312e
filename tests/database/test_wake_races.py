"""Workers that wake a model at the same moment. In a file of its own: it empties the tables."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from hosting.lifecycle import draining
from hosting.lifecycle.reconcile import reconcile, wake
from hosting.models import HostedModel, Replica, Transition, Wake
from hosting.states import Event, State
from hosting.wire import Asker
from tests.database.conftest import NOON

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


def test_eight_workers_at_once_resume_one_replica(model, tools, runtime, clock):
    wake(model.pk, asker=ASKER, tools=tools)
    draining.start_draining_idle(now=clock.advance(minutes=5))
    reconcile(model.pk, tools=tools)

    wake_together(model, tools=tools)

    assert model.state == State.AWAKE
    assert model.lease_until is None
    assert len(runtime.started) == 1
    assert not runtime.find(runtime.started[0]).paused
    assert Transition.objects.filter(event=Event.READY).count() == 2
    assert Wake.objects.count() == 2
