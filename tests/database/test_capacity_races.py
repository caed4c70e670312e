"""Workers that ask for room at the same moment. In a file of its own: it empties the tables."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connections

from hosting.lifecycle import capacity
from hosting.models import Replica
from hosting.models.replica import ReplicaStatus
from hosting.runtimes.base import LOCAL, Node


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("routes")
def test_eight_workers_at_once_promise_nothing_twice(host_model, tools, runtime, monkeypatch):
    runtime.machines = [Node(LOCAL, memory_mb=1100, cpus=64)]
    monkeypatch.setattr(settings, "NODE_MEMORY_SHARE", 1.0)
    models = [host_model() for _ in range(8)]
    together = threading.Barrier(8)

    def claim(model):
        try:
            together.wait(10)
            return capacity.claim(model, model.revision, tools=tools)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as workers:
        outcomes = list(workers.map(claim, models))

    won = [each for each in outcomes if isinstance(each, Replica)]
    assert len(won) == 2
    assert Replica.objects.exclude(status=ReplicaStatus.GONE).count() == 2
    assert all(isinstance(each, capacity.Wait) for each in outcomes if each not in won)
