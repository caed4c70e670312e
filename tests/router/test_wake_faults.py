"""Wakes that fail, get lost, come too late or find no room: the caller is told, once."""

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.router import model as models
from tests.router.harness import ControlPlane, Router, head, running_router, wait_until
from tests.router.model import Model


@pytest.fixture
def router(shared_router: Router) -> Router:
    return shared_router


def test_a_failed_wake_says_why_and_when_to_come_back(router: Router, control: ControlPlane):
    control.on_wake = lambda kwargs: (
        control.publish("echo", state="awakening"),
        control.publish(
            "echo", state="failed", failure_reason="exit code 3", retry_at=time.time() + 30
        ),
    )
    control.publish("echo")
    router.knows()

    first = router.query()
    at_once = router.query()

    assert (first.status, first.code) == (503, "wake_failed")
    assert "exit code 3" in at_once.json["error"]["message"]
    assert 25 <= int(at_once.headers["retry-after"]) <= 30
    assert len(control.wakes()) == 1


def test_a_failed_model_is_tried_again_once_its_time_has_come(
    router: Router, control: ControlPlane, model: Model
):
    control.on_wake = lambda kwargs: control.awake("echo", model.port)
    control.publish("echo", state="failed", failure_reason="x", retry_at=time.time() - 1)
    router.knows()

    assert router.query().status == 200


@pytest.mark.once
def test_a_lost_wake_is_asked_for_again(router: Router, control: ControlPlane, model: Model):
    def wake(kwargs: dict[str, Any]) -> None:
        if len(control.wakes()) == 2:
            control.awake("echo", model.port)

    control.on_wake = wake
    control.publish("echo")
    router.knows()

    assert router.query().status == 200
    assert len(control.wakes()) == 2


@pytest.mark.once
def test_without_a_control_plane_the_wait_ends_in_503(router: Router, control: ControlPlane):
    control.publish("echo")
    router.knows()
    asked = time.monotonic()

    answer = router.query()

    assert (answer.status, answer.code) == (503, "control_plane_unavailable")
    assert 9 < time.monotonic() - asked < 12


@pytest.fixture
def impatient(tmp_path: Path, control: ControlPlane):
    """A router that waits two seconds for a worker."""
    limits = ("--limit", "control_plane_seconds=2", "--limit", "renudge_seconds=0.2")
    with running_router(tmp_path, "--redis", control.url, *limits) as router:
        yield router


def alive_for(control: ControlPlane, seconds: float) -> threading.Thread:
    def live() -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            control.live()
            time.sleep(0.1)

    thread = threading.Thread(target=live)
    thread.start()
    return thread


def test_while_a_worker_lives_a_wake_that_nobody_gets_to_is_waited_for(
    impatient: Router, control: ControlPlane, model: Model
):
    control.publish("echo")
    impatient.knows()
    living = alive_for(control, 4)
    began = time.monotonic()

    def wake(_: dict[str, Any]) -> None:
        if time.monotonic() - began > 3:
            control.awake("echo", model.port)

    control.on_wake = wake
    answer = impatient.query()

    assert (answer.status, time.monotonic() - began > 3) == (200, True)
    living.join()


def test_while_a_worker_lives_who_waits_for_a_replica_that_is_gone_is_held(
    impatient: Router, control: ControlPlane, model: Model
):
    """The engine is away: the worker finds out nothing, and so the route stays as it is."""
    dead = Model()
    dead.close()
    control.known_to_router(control.awake("echo", dead.port))
    living = alive_for(control, 6)
    began = time.monotonic()

    def reconcile(_: dict[str, Any]) -> None:
        if time.monotonic() - began > 5:
            control.awake("echo", model.port)

    control.on_reconcile = reconcile
    answer = impatient.query()

    assert (answer.status, time.monotonic() - began > 5) == (200, True)
    living.join()


def test_once_the_last_worker_died_the_wait_ends_in_503(impatient: Router, control: ControlPlane):
    control.publish("echo")
    impatient.knows()
    living = alive_for(control, 1.0)
    began = time.monotonic()

    answer = impatient.query()

    assert (answer.status, answer.code) == (503, "control_plane_unavailable")
    assert time.monotonic() - began > 2.5
    living.join()


def test_the_deadline_covers_the_wait(router: Router, control: ControlPlane):
    control.publish("echo", state="awakening", request_timeout_seconds=0.5)
    router.knows()

    answer = router.query()

    assert (answer.status, answer.code) == (504, "wake_timed_out")
    event = router.event()
    assert (event.outcome, event.counted, event.status) == ("timeout", False, 504)


def test_whoever_waits_for_room_until_the_deadline_is_told_so(
    router: Router, control: ControlPlane
):
    control.publish("echo", request_timeout_seconds=0.5)
    control.on_wake = lambda _: control.publish(
        "echo", state="awakening", wait_reason="No machine has 512 MiB of memory free."
    )
    router.knows()

    answer = router.query()

    assert (answer.status, answer.code) == (503, "no_room")
    assert "512 MiB of memory" in answer.body.decode()
    assert int(answer.headers["retry-after"]) > 0


def test_a_status_tells_what_a_wake_waits_for_if_asked(router: Router, control: ControlPlane):
    control.publish("echo", state="awakening", wait_reason="No machine has room.")
    router.knows()

    assert router.request("GET", "/v1?verbose=1").json["reason"] == "No machine has room."
    assert "reason" not in router.request("GET", "/v1").json


def test_the_deadline_covers_the_work(router: Router, control: ControlPlane, model: Model):
    model.handler = models.after(5)
    control.known_to_router(control.awake("echo", model.port, request_timeout_seconds=0.5))

    assert router.query().code == "model_timed_out"
    assert model.hung_up.wait(2)
    assert router.event().counted is False


def test_a_refused_connection_is_reported_and_the_request_held(
    router: Router, control: ControlPlane, model: Model
):
    dead = Model()
    dead.close()

    def reconcile(kwargs: dict[str, Any]) -> None:
        control.publish("echo", state="asleep", replicas=())

    control.on_reconcile = reconcile
    control.on_wake = lambda kwargs: control.awake("echo", model.port)
    control.known_to_router(control.awake("echo", dead.port))

    answer = router.query()

    assert answer.status == 200
    assert [task for task, _ in control.nudges] == ["workers.reconcile", "workers.wake"]


def test_a_replica_that_listens_late_is_tried_again(
    router: Router, control: ControlPlane, model: Model
):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        control.known_to_router(control.awake("echo", reserved.getsockname()[1]))
        wire = router.wire().send(head("POST", "/v1/query", body=b"{}"))
        time.sleep(0.3)
        reserved.listen()
        connection, _ = reserved.accept()

        connection.recv(4096)
        connection.sendall(
            b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        )

        assert wire.read().status == 200
        connection.close()
    assert not control.nudges


def test_a_request_inside_a_model_that_dozed_off_meanwhile_has_it_woken(
    router: Router, control: ControlPlane, model: Model
):
    """Nobody waits for a router that was frozen: its models are paused with what is inside."""
    resumed = threading.Event()
    model.handler = models.once(resumed)

    def resume(kwargs: dict[str, Any]) -> None:
        resumed.set()
        control.awake("echo", model.port)

    control.on_wake = resume
    control.known_to_router(control.awake("echo", model.port))
    wire = router.wire().send(head("POST", "/v1/query", body=b"{}"))
    wait_until(lambda: model.connections)

    control.publish("echo", state="drowsy", replicas=())

    assert wire.read().status == 200
    assert len(control.wakes()) == 1
    assert len(model.seen) == 1
