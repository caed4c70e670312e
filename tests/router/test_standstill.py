"""A router that stood still for longer than its lease: nobody waited for it."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hosting.router.standstill import STANDSTILL_SECONDS
from tests.router import model as models
from tests.router.conftest import OwnRedis
from tests.router.harness import ControlPlane, Router, head, wait_until
from tests.router.model import Model, Seen

QUERY = head("POST", "/v1/query", body=b"{}")


@contextmanager
def frozen(router: Router) -> Iterator[None]:
    """Meanwhile no process of this router runs, and for long enough that this matters."""
    os.killpg(router.process.pid, signal.SIGSTOP)
    end = time.monotonic() + STANDSTILL_SECONDS + 0.5
    try:
        yield
        time.sleep(max(0.0, end - time.monotonic()))
    finally:
        os.killpg(router.process.pid, signal.SIGCONT)


@pytest.fixture
def successor() -> Iterator[Model]:
    server = Model()
    yield server
    server.close()


def wakes_as(control: ControlPlane, model: Model) -> None:
    control.on_wake = lambda kwargs: control.awake("echo", model.port)


@pytest.mark.once
def test_what_comes_meanwhile_is_not_sent_to_a_model_that_was_stopped_meanwhile(
    awake: Router, control: ControlPlane, model: Model, successor: Model
):
    wire = awake.wire().send(QUERY)
    assert wire.read().status == 200
    model.handler = models.raw(b"", then_close=True)  # it takes one more, and dies with it
    wakes_as(control, successor)

    with frozen(awake):
        control.publish("echo", state="asleep", replicas=())
        wire.send(QUERY)

    assert wire.read().status == 200
    assert (len(model.seen), len(successor.seen)) == (1, 1)


@pytest.mark.once
def test_who_waits_for_a_slot_does_not_get_one_of_a_model_that_was_stopped_meanwhile(
    router: Router, control: ControlPlane, model: Model, successor: Model
):
    def answer_one(seen: Seen, connection: socket.socket) -> bool | None:
        if len(model.seen) > 1:
            return False
        wait_until(lambda: control.routes["echo"].state == "asleep")
        models.echo(seen, connection)
        return None

    model.handler = answer_one
    control.known_to_router(control.awake("echo", model.port, concurrency=1))
    inside, waiting = router.wire().send(QUERY), router.wire()
    wait_until(lambda: model.seen)
    waiting.send(QUERY)
    wakes_as(control, successor)

    with frozen(router):
        control.publish("echo", state="asleep", replicas=())

    assert (inside.read().status, waiting.read().status) == (200, 200)
    assert (len(model.seen), len(successor.seen)) == (1, 1)


@pytest.mark.once
def test_a_table_that_cannot_be_read_is_waited_for_a_moment_only(
    awake: Router, own_redis: OwnRedis, model: Model
):
    wire = awake.wire()

    with own_redis.hanging():
        with frozen(awake):
            wire.send(QUERY)
        gone_on = time.monotonic()
        status = wire.read().status

    assert status == 200
    assert 0.5 < time.monotonic() - gone_on < 3
