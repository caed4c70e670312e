"""What no model may do to its callers: lie about lengths, talk out of turn, never end."""

import gzip
import socket
import time

import pytest

from tests.router import model as models
from tests.router.harness import ControlPlane, Router, head
from tests.router.model import Model, Seen, said

JSON = "Content-Type: application/json"


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


@pytest.fixture
def router(shared_router: Router) -> Router:
    return shared_router


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize(("path", "status"), [("/v1/query", 500), ("/v1/other", 502)])
def test_garbage_is_one_clean_error(
    passing: Router, model: Model, garbage: bytes, path: str, status: int
):
    model.handler = models.raw(garbage, then_close=True)

    answer = passing.request("POST", path, body=b"{}")

    assert answer.status == status
    assert answer.json["error"]["code"] in ("model_garbled", "model_died")


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

    received, reset = wire.until_the_end()

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

    received, reset = wire.until_the_end()

    assert received.endswith(b"\r\n\r\n" + b"x" * 300_000)
    assert not reset


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
