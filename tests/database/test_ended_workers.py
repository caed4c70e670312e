"""What a killed worker was at goes on at once, where it is certain that it ended."""

import subprocess
import sys
from datetime import timedelta

import pytest

from hosting import nudges
from hosting.lifecycle import ended_workers, operations
from hosting.lifecycle.leases import DURATION, lease
from hosting.lifecycle.reconcile import reconcile
from hosting.lifecycle.sweep import sweep
from hosting.models import HostedModel
from hosting.states import State
from tests.database.conftest import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]

_LIVE = """
import fcntl, os, sys, time
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.STATE_DIR = tmp_path
    ended_workers.own_name.cache_clear()
    yield tmp_path / "workers"
    ended_workers.own_name.cache_clear()


@pytest.fixture
def worker(folder):
    """Another process, as a worker that holds its lock."""
    folder.mkdir()
    command = [sys.executable, "-c", _LIVE, str(folder / "another")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        yield process
        process.kill()


@pytest.fixture
def led(model):
    """A model whose wake another worker is at."""
    operations.wake(model, cause="request", now=NOON)
    row = HostedModel.objects.filter(pk=model.pk)
    row.update(lease_holder="another.1", lease_until=NOON + DURATION)
    return model


def test_a_wake_goes_on_as_soon_as_its_worker_is_known_to_be_dead(led, worker, tools):
    before = reconcile(led.pk, tools=tools)
    worker.kill()
    worker.wait()

    freed = ended_workers.free_their_leases()

    assert (before, freed) == (False, 1)
    assert reconcile(led.pk, tools=tools) is True
    assert HostedModel.objects.get().state == State.AWAKE


def test_the_sweep_finds_it(led, worker, tools, monkeypatch):
    found = []
    monkeypatch.setattr(nudges, "reconcile", lambda _, *, model_id: found.append(model_id))
    sweep(tools=tools)
    before = list(found)
    worker.kill()
    worker.wait()

    sweep(tools=tools)

    assert (before, found) == ([], [led.pk])


def test_a_living_workers_lease_is_its_own(led, worker, folder):
    assert ended_workers.free_their_leases() == 0
    assert (folder / "another").exists()


def test_our_own_lease_is_under_our_lock(model, clock):
    with lease(model.pk, clock=clock) as held:
        assert held.holder.startswith(ended_workers.own_name())
        assert ended_workers.free_their_leases() == 0
        assert held.model.lease_until == clock.now() + timedelta(seconds=15)


def test_a_worker_of_another_machine_proves_nothing(led):
    assert ended_workers.free_their_leases() == 0
    assert HostedModel.objects.get().lease_holder == "another.1"


def test_dead_workers_leave_nothing_behind(worker, folder):
    worker.kill()
    worker.wait()

    ended_workers.free_their_leases()

    assert list(folder.iterdir()) == []


def test_without_room_for_its_lock_a_worker_works_all_the_same(model, folder, tools):
    folder.write_text("no folder can be made here")
    operations.wake(model, cause="request", now=NOON)

    reconcile(model.pk, tools=tools)

    model.refresh_from_db()
    assert model.state == State.AWAKE
