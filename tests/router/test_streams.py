"""Bodies that take their time, either way: none is kept back, none piles up, none is lost."""

import socket
import time

import pytest

from tests.router import model as models
from tests.router.harness import ControlPlane, Router, head, once_within, wait_until
from tests.router.model import Model, Seen, said


@pytest.fixture
def router(shared_router: Router) -> Router:
    return shared_router


def test_a_stream_is_passed_on_event_by_event(awake: Router, model: Model):
    def stream(seen: Seen, connection: socket.socket) -> None:
        connection.sendall(said("Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
        for number in range(5):
            event = f"data: {number} {time.monotonic()}\n\n".encode()
            connection.sendall(b"%x\r\n%b\r\n" % (len(event), event))
            time.sleep(0.05)
        connection.sendall(b"0\r\n\r\n")

    model.handler = stream
    wire = awake.wire().send(head("POST", "/v1/query", body=b"{}"))
    delays = []
    while b"\r\n0\r\n\r\n" not in wire.buffer:
        before = wire.buffer
        wire._more()
        new = wire.buffer[len(before) :]
        if b"data: " in new:
            sent_at = float(new.split(b"data: ")[-1].split()[1])
            delays.append(time.monotonic() - sent_at)

    assert len(delays) == 5
    assert sorted(delays)[2] < 0.02


@pytest.mark.parametrize("streaming", [False, True])
def test_a_caller_who_hangs_up_is_seen_by_the_model_at_once(
    awake: Router, model: Model, streaming: bool
):
    def endless(seen: Seen, connection: socket.socket) -> None:
        connection.sendall(said("Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
        while True:
            connection.sendall(b"3\r\na\n\n\r\n")
            time.sleep(0.01)

    model.handler = endless if streaming else models.after(10)

    def hang_up() -> float:
        model.seen.clear()
        model.hung_up.clear()
        wire = awake.wire().send(head("POST", "/v1/query", body=b"{}"))
        wait_until(lambda: model.seen)
        time.sleep(0.1)
        wire.close()
        left_at = time.monotonic()
        assert model.hung_up.wait(2)
        return time.monotonic() - left_at

    once_within(0.25, hang_up)
    event = awake.event()
    assert (event.outcome, event.counted) == (
        ("ok", True) if streaming else ("client_abort", False)
    )


def test_a_slow_caller_slows_the_model_down_and_costs_no_memory(awake: Router, model: Model):
    sent = 0

    def flood(seen: Seen, connection: socket.socket) -> None:
        nonlocal sent
        connection.settimeout(1)
        connection.sendall(said("Content-Type: application/octet-stream"))
        try:
            while sent < 200 << 20:
                sent += connection.send(b"x" * (1 << 16))
        except TimeoutError:
            raise ConnectionResetError from None

    model.handler = flood
    wire = awake.wire().send(head("POST", "/v1/query", body=b"{}"))
    wait_until(lambda: model.hung_up.is_set())

    assert sent < 32 << 20
    wire.close()


def _send_until_stuck(sock: socket.socket) -> int:
    sent = 0
    while True:
        try:
            sent += sock.send(b"x" * (1 << 16))
        except TimeoutError:
            return sent


def test_a_slow_model_slows_the_caller_down(awake: Router, control: ControlPlane, model: Model):
    control.known_to_router(control.awake("echo", model.port, max_body_bytes=1 << 30))
    reads = socket.create_server(("127.0.0.1", 0))
    control.known_to_router(control.awake("echo", reads.getsockname()[1], max_body_bytes=1 << 30))
    wire = awake.wire()
    wire.socket.settimeout(1)
    wire.send(head("POST", "/v1/query", headers=("Content-Length: 500000000",)))
    sent = _send_until_stuck(wire.socket)

    assert sent < 32 << 20
    reads.close()


def test_a_big_upload_arrives_whole(awake: Router, model: Model):
    model.handler = lambda seen, connection: models.answer(body=b"%d" % (seen.body == body))(
        seen, connection
    )
    body = bytes(range(256)) * 80_000

    assert awake.query(body).json == 1


def test_a_chunked_upload_arrives_with_a_length(awake: Router, model: Model):
    wire = awake.wire().send(head("POST", "/v1/query", headers=("Transfer-Encoding: chunked",)))

    wire.send(b"5;ext=1\r\nhello\r\n")
    wire.send(b"6\r\n world\r\n0\r\n\r\n")

    assert wire.read().json["body"] == "hello world"


def test_an_early_answer_ends_the_upload(awake: Router, model: Model, control: ControlPlane):
    def early(seen: Seen, connection: socket.socket) -> bool:
        return True

    listener = socket.create_server(("127.0.0.1", 0))
    control.known_to_router(control.awake("echo", listener.getsockname()[1]))
    wire = awake.wire()
    wire.send(head("POST", "/v1/query", headers=("Content-Length: 20000000",)) + b"x" * 2_000_000)
    connection, _ = listener.accept()
    connection.recv(4096)

    connection.sendall(
        b"HTTP/1.1 413 X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )

    answer = wire.read()
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    connection.close()
    listener.close()
