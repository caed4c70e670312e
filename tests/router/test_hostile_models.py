"""What no model may do to its callers: lie about lengths, talk out of turn, never end."""

import gzip
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.router import model as models
from tests.router.harness import ControlPlane, Router, Wire, head, running_router, wait_until
from tests.router.model import Model, Seen

JSON = "Content-Type: application/json"


def said(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", *lines, "", "")).encode() + body


@pytest.fixture
def passing(router: Router, control: ControlPlane, model: Model) -> Router:
    """A router that passes every path of `echo` through."""
    control.known_to_router(control.awake("echo", model.port, protocol="openai", concurrency=0))
    return router


GARBAGE = [
    said(JSON, "Content-Length: 2", "Content-Length: 3", body=b"{}"),
    said(JSON, "Content-Length: 2", "Transfer-Encoding: chunked", body=b"{}"),
    said(JSON, "Content-Length: two", body=b"{}"),
    said(JSON, "Content-Length: -2", body=b"{}"),
    said(JSON, "Transfer-Encoding: gzip", body=b"{}"),
    said(JSON, "Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"),
    said(JSON, "X A: b", "Content-Length: 2", body=b"{}"),
    said(JSON, "X: a\r\n folded", "Content-Length: 2", body=b"{}"),
    said(JSON, "X: a\nY: b", "Content-Length: 2", body=b"{}"),
    said(JSON, "X: " + "a" * (4 << 20), "Content-Length: 2", body=b"{}"),
    b"garbage\r\n\r\n",
    b"\x16\x03\x01\x02\x00\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b'{"an": "answer of HTTP/0.9"}\r\n\r\n',
    b"HTTP/1.1 9999 X\r\n\r\n",
    b"HTTP/1.1 99 X\r\n\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
]


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize(("path", "status"), [("/v1/query", 500), ("/v1/other", 502)])
def test_garbage_is_one_clean_error(
    passing: Router, model: Model, garbage: bytes, path: str, status: int
):
    model.handler = models.raw(garbage, then_close=True)

    answer = passing.request("POST", path, body=b"{}")

    assert answer.status == status
    assert answer.json["error"]["code"] in ("model_garbled", "model_died")


def until_the_end(wire: Wire) -> tuple[bytes, bool]:
    """All that comes, and whether the connection was reset at the end."""
    received = b""
    try:
        while data := wire.socket.recv(1 << 16):
            received += data
    except ConnectionResetError:
        return received, True
    return received, False


@pytest.mark.parametrize(
    "cut",
    [said(JSON, "Content-Length: 100", body=b'{"half": '),
     said(JSON, "Transfer-Encoding: chunked", body=b"5\r\n{}   \r\n"),
     said(JSON, "Transfer-Encoding: chunked", body=b"64\r\n{}   ")],
)  # fmt: skip
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_a_truncated_answer_is_never_shown_as_whole(
    awake: Router, model: Model, cut: bytes, version: str
):
    model.handler = models.raw(cut, then_close=True)
    wire = awake.wire()
    wire.send(head("POST", "/v1/query", body=b"{}").replace(b"HTTP/1.1", version.encode()))

    received, reset = until_the_end(wire)

    assert b"\r\n0\r\n\r\n" not in received
    assert reset or b"Content-Length: 100" in received or b"chunked" in received


def test_a_second_answer_is_never_given_to_the_next_caller(awake: Router, model: Model):
    model.handler = models.raw(said(JSON, "Content-Length: 2", body=b"{}") * 2)

    assert awake.query().json == {}
    model.handler = models.answer(body=b'{"yours": true}')

    assert awake.query().json == {"yours": True}
    assert model.connections == 2


def test_bytes_after_the_answer_close_the_connection(awake: Router, model: Model):
    def talkative(seen: Seen, connection: socket.socket) -> None:
        models.answer()(seen, connection)
        time.sleep(0.05)
        connection.sendall(said(JSON, "Content-Length: 9", body=b'"not you"'))

    model.handler = talkative
    wire = awake.wire()

    bodies = set()
    for _ in range(5):
        bodies.add(wire.send(head("POST", "/v1/query", body=b"{}")).read().body)
        time.sleep(0.1)

    assert bodies == {b'{"ok": true}'}


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_end_with_their_head(passing: Router, model: Model, status: int):
    model.handler = models.raw(f"HTTP/1.1 {status} X\r\nETag: a\r\n\r\n".encode())
    wire = passing.wire()

    for _ in range(3):
        assert wire.send(head("GET", "/v1/other")).read().status == status
    assert model.connections == 1


def test_a_head_request_ends_with_the_head_whatever_length_it_names(passing: Router, model: Model):
    model.handler = models.raw(said(JSON, "Content-Length: 1234"))
    wire = passing.wire()

    for _ in range(3):
        answer = wire.send(head("HEAD", "/v1/other")).read(head_only=True)
        assert answer.headers["content-length"] == "1234"
    assert model.connections == 1


def test_an_interim_answer_is_passed_on_before_the_real_one(passing: Router, model: Model):
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    model.handler = models.raw(hint + said(JSON, "Content-Length: 2", body=b"{}"))
    wire = passing.wire().send(head("GET", "/v1/other"))

    assert wire.read().status == 103
    assert wire.read().status == 200


def test_an_answer_that_ends_by_closing_is_passed_on_whole(passing: Router, model: Model):
    model.handler = models.raw(said(JSON, body=b'{"until": "the end"}'), then_close=True)
    wire = passing.wire().send(head("GET", "/v1/other"))

    answer = wire.read()

    assert answer.json == {"until": "the end"}
    assert answer.headers["transfer-encoding"] == "chunked"
    assert wire.send(head("GET", "/v1")).read().status == 200


def test_to_http_1_0_it_ends_by_closing_and_is_whole(passing: Router, model: Model):
    model.handler = models.raw(said(JSON, body=b"x" * 300_000), then_close=True)
    wire = passing.wire().send(head("GET", "/v1/other").replace(b"HTTP/1.1", b"HTTP/1.0"))

    received, reset = until_the_end(wire)

    assert received.endswith(b"\r\n\r\n" + b"x" * 300_000)
    assert not reset


def test_a_router_killed_while_it_answers_leaves_no_answer_that_looks_whole(
    passing: Router, model: Model
):
    def halves(seen: Seen, connection: socket.socket) -> None:
        connection.sendall(said(JSON, body=b'{"half": '))
        time.sleep(10)

    model.handler = halves
    versions = (b"HTTP/1.0", b"HTTP/1.1")
    asked = [head("GET", "/v1/other").replace(b"HTTP/1.1", version) for version in versions]
    old, new = (passing.wire().send(each) for each in asked)
    wait_until(lambda: len(model.seen) == 2)
    time.sleep(0.2)

    os.killpg(passing.process.pid, signal.SIGKILL)

    assert until_the_end(old)[1]
    assert not until_the_end(new)[0].endswith(b"0\r\n\r\n")


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
    wire = awake.wire().send(head("POST", "/v1/query", body=b"{}"))
    wait_until(lambda: model.seen)
    time.sleep(0.1)

    wire.close()
    left_at = time.monotonic()

    assert model.hung_up.wait(2)
    assert time.monotonic() - left_at < 0.25
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


def test_a_websocket_is_relayed_and_counted_once(passing: Router, model: Model):
    def upgrade(seen: Seen, connection: socket.socket) -> bool:
        assert seen.headers["sec-websocket-key"] == "abc"
        connection.sendall(
            b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: xyz\r\nSec-WebSocket-Protocol: chat\r\n\r\n\x81\x02hi"
        )
        connection.sendall(connection.recv(100))
        return False

    model.handler = upgrade
    wire = passing.wire()
    asked = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: abc")
    wire.send(head("GET", "/v1/socket", headers=asked))

    answer = wire.read()
    wire.send(b"\x81\x85\0\0\0\0hello")

    assert (answer.status, answer.headers["sec-websocket-protocol"]) == (101, "chat")
    assert wire.rest() == b"\x81\x02hi\x81\x85\0\0\0\0hello"
    assert passing.event().status == 101


def test_a_websocket_without_the_token_is_refused_before_the_model_hears(
    passing: Router, model: Model
):
    asked = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: abc")

    assert passing.request("GET", "/v1/socket", token="no", headers=asked).status == 401
    assert not model.connections


def test_a_failed_handshake_opens_no_tunnel(passing: Router, model: Model):
    model.handler = models.answer(403)
    wire = passing.wire()
    asked = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: abc")
    wire.send(head("GET", "/v1/socket", headers=asked))

    assert wire.read().status == 403
    assert wire.send(head("GET", "/v1")).read().status == 200


def test_revocation_closes_an_open_websocket(passing: Router, control: ControlPlane, model: Model):
    model.handler = models.raw(
        b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    wire = passing.wire()
    asked = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: abc")
    assert wire.send(head("GET", "/v1/socket", headers=asked)).read().status == 101

    control.publish("echo", token_digests={})
    revoked_at = time.monotonic()

    assert wire.rest() == b"\x88\x02\x03\xf0"
    assert time.monotonic() - revoked_at < 0.5


def test_nothing_is_lost_to_a_model_that_closes_kept_connections_unannounced(
    awake: Router, model: Model
):
    def closes(seen: Seen, connection: socket.socket) -> bool:
        models.answer()(seen, connection)
        return False

    model.handler = closes
    wires = [awake.wire().send(head("POST", "/v1/query", body=b"{}")) for _ in range(60)]

    assert {wire.read().status for wire in wires} == {200}
    assert len(model.seen) == 60


def test_a_coded_answer_passes_as_it_is(awake: Router, model: Model):
    packed = gzip.compress(b'{"big": true}')
    model.handler = models.answer(
        body=packed, headers=("Content-Type: application/json", "Content-Encoding: gzip")
    )

    answer = awake.query(headers=("Accept-Encoding: gzip",))

    assert (answer.body, answer.headers["content-encoding"]) == (packed, "gzip")
    assert model.seen[0].headers["accept-encoding"] == "gzip"


def test_a_model_that_takes_a_connection_and_says_nothing_ends_at_the_deadline(
    router: Router, control: ControlPlane
):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        control.known_to_router(control.awake("echo", port, request_timeout_seconds=0.5))

        answer = router.query()

    assert (answer.status, answer.code) == (504, "model_timed_out")


def test_pings_do_not_keep_a_websocket_open(tmp_path: Path, control: ControlPlane, model: Model):
    model.handler = models.raw(
        b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    limits = ("--limit", "websocket_idle_seconds=1")
    with running_router(tmp_path, "--redis", control.url, *limits) as router:
        control.known_to_router(control.awake("echo", model.port, protocol="openai"))
        asked = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: abc")
        wire = router.wire().send(head("GET", "/v1/socket", headers=asked))
        opened_at = time.monotonic()
        assert wire.read().status == 101

        for _ in range(8):
            wire.send(b"\x89\x80\0\0\0\0")
            time.sleep(0.2)

        assert wire.rest() == b"\x88\x02\x03\xf4"
        assert time.monotonic() - opened_at < 3


def test_a_get_is_sent_again_over_a_connection_that_died_a_post_is_not(awake: Router, model: Model):
    def dies_once(seen: Seen, connection: socket.socket) -> bool | None:
        if len(model.seen) == 1:
            return False
        models.echo(seen, connection)
        return None

    model.handler = dies_once

    assert awake.request("GET", "/v1/info").status == 200
    model.seen.clear()
    assert awake.query().status == 500
    assert len(model.seen) == 1
