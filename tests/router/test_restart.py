"""Processes come and go; callers don't notice."""

import os
import signal
import socket
import threading
import time
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.router import model as models
from tests.router.harness import ControlPlane, Router, free_pair, head, running_router, wait_until
from tests.router.model import Model, Seen, said


def workers(router: Router) -> list[int]:
    """The process ids of the router's workers."""
    children = Path(f"/proc/{router.process.pid}/task/{router.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def restarts(log: Path, number: int) -> bool:
    return log.read_text().count("restarted") == number


class Load:
    """Callers that use a router all the time, each in its own way."""

    def __init__(self, router: Router) -> None:
        self.answered = 0
        self.failed: list[str] = []  # what went wrong
        self._router = router
        self._stop = threading.Event()
        ways = [self._keep_alive] * 4 + [self._anew, self._anew, self._upload, self._stream]
        self._threads = [threading.Thread(target=self._guard, args=(way,)) for way in ways]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _guard(self, way) -> None:
        try:
            way()
        except (OSError, AssertionError) as error:
            self.failed.append(f"{way.__name__}: {error!r}")

    def _keep_alive(self) -> None:
        wire = self._router.wire()
        while not self._stop.is_set():
            answer = wire.send(head("POST", "/v1/query", body=b"{}")).read()
            assert answer.status == 200, answer
            self.answered += 1
            if answer.headers.get("connection") == "close":
                wire = self._router.wire()
            time.sleep(0.01)

    def _anew(self) -> None:
        while not self._stop.is_set():
            assert self._router.query().status == 200
            self.answered += 1
            time.sleep(0.01)

    def _upload(self) -> None:
        while not self._stop.is_set():
            wire = self._router.wire()
            wire.send(head("POST", "/v1/query", headers=("Content-Length: 3000000",)))
            for _ in range(30):
                wire.send(b"x" * 100_000)
                time.sleep(0.01)
            assert wire.read().status == 200
            self.answered += 1

    def _stream(self) -> None:
        while not self._stop.is_set():
            wire = self._router.wire().send(head("POST", "/v1/stream", body=b"{}"))
            assert wire.read().body.count(b"data") == 20
            self.answered += 1


def stream_or_answer(seen: Seen, connection: socket.socket) -> None:
    if seen.path != "/v1/stream":
        models.answer()(seen, connection)
        return
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for _ in range(20):
        connection.sendall(b"8\r\ndata: 1\n\r\n".replace(b"8", b"8"))
        time.sleep(0.02)
    connection.sendall(b"0\r\n\r\n")


def test_nothing_fails_while_the_router_restarts_again_and_again(
    awake: Router, control: ControlPlane, model: Model
):
    model.handler = stream_or_answer
    control.known_to_router(control.awake("echo", model.port, protocol="openai", concurrency=0))
    log = awake.spool.parent / "router.log"
    before = workers(awake)

    with Load(awake) as load:
        for number in range(1, 5):
            awake.process.send_signal(signal.SIGHUP)
            wait_until(partial(restarts, log, number))
            time.sleep(0.5)

    assert load.failed == []
    assert load.answered > 300
    assert not set(before) & set(workers(awake)[-1:])


def test_sigterm_lets_what_is_under_way_finish(awake: Router, model: Model):
    model.handler = models.after(1)
    wire = awake.wire().send(head("POST", "/v1/query", body=b"{}"))
    wait_until(lambda: model.connections)

    awake.process.send_signal(signal.SIGTERM)
    answer = wire.read()

    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert awake.process.wait(10) == 0
    assert [event.outcome for event in awake.events()] == ["ok"]


def test_a_websocket_is_told_that_the_router_restarts(
    awake: Router, control: ControlPlane, model: Model
):
    model.handler = models.raw(
        b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    control.known_to_router(control.awake("echo", model.port, protocol="openai"))
    asked = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: abc")
    wire = awake.wire().send(head("GET", "/v1/socket", headers=asked))
    assert wire.read().status == 101

    awake.process.send_signal(signal.SIGHUP)

    assert wire.rest() == b"\x88\x02\x03\xf4"  # 1012: come again


def test_a_killed_worker_is_replaced_and_its_events_are_kept(
    awake: Router, control: ControlPlane, model: Model
):
    for _ in range(20):
        awake.query()

    os.kill(workers(awake)[0], signal.SIGKILL)
    wait_until(lambda: len(workers(awake)) == 1 and _answers(awake))

    assert [event.counted for event in awake.events()].count(True) >= 20
    assert len({event.id for event in awake.events()}) == len(awake.events())


def _answers(router: Router) -> bool:
    try:
        return router.query().status == 200
    except OSError:
        return False


def test_a_killed_supervisor_takes_its_workers_along(awake: Router):
    pids = workers(awake)

    awake.process.kill()

    wait_until(lambda: not any(_runs(pid) for pid in pids))


def _runs(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


def test_two_workers_serve_and_report_under_their_own_names(
    tmp_path: Path, control: ControlPlane, model: Model
):
    port = free_pair()
    arguments = ("--redis", control.url, "--workers", "2", "--metrics", f"127.0.0.1:{port}")
    with running_router(tmp_path, *arguments) as router:
        control.known_to_router(control.awake("echo", model.port))
        router.knows()
        assert {router.query().status for _ in range(10)} == {200}

        names = set(control.redis.zrange("dormouse:routers", 0, -1))
        pages = [urlopen(f"http://127.0.0.1:{port + n}/metrics").read().decode() for n in (0, 1)]
        router.stop()

    assert names == {b"test-0", b"test-1"}
    assert any('outcome="ok"' in page for page in pages)
    assert not control.redis.zrange("dormouse:routers", 0, -1)


def test_the_access_log_has_a_line_per_request(tmp_path: Path, control: ControlPlane, model: Model):
    log = tmp_path / "access.log"
    with running_router(tmp_path, "--redis", control.url, "--access-log", str(log)) as router:
        control.known_to_router(control.awake("echo", model.port))
        router.query()
        wait_until(lambda: log.exists() and '"status": 200' in log.read_text())


@pytest.mark.parametrize("arguments", [("--redis", "redis://127.0.0.1:1/0")])
def test_a_router_starts_without_redis_and_says_503(tmp_path: Path, arguments: tuple[str, ...]):
    with running_router(tmp_path, *arguments) as router:
        assert router.query().code == "control_plane_unavailable"


def test_a_router_killed_while_it_answers_leaves_no_answer_that_looks_whole(
    passing: Router, model: Model
):
    def halves(seen: Seen, connection: socket.socket) -> None:
        connection.sendall(said("Content-Type: application/json", body=b'{"half": '))
        time.sleep(10)

    model.handler = halves
    versions = (b"HTTP/1.0", b"HTTP/1.1")
    asked = [head("GET", "/v1/other").replace(b"HTTP/1.1", version) for version in versions]
    old, new = (passing.wire().send(each) for each in asked)
    wait_until(lambda: len(model.seen) == 2)
    time.sleep(0.2)

    os.killpg(passing.process.pid, signal.SIGKILL)

    assert old.until_the_end()[1]
    assert not new.until_the_end()[0].endswith(b"0\r\n\r\n")
