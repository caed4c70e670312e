"""WebSockets: relayed, counted once, closed when the token is revoked."""

import socket
import time
from pathlib import Path

from tests.router import model as models
from tests.router.harness import ControlPlane, Router, digest, head, once_within, running_router
from tests.router.model import Model, Seen


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
    asked = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: abc")

    def revoke() -> float:
        control.known_to_router(control.publish("echo", token_digests={digest(): 11}))
        wire = passing.wire()
        assert wire.send(head("GET", "/v1/socket", headers=asked)).read().status == 101
        control.publish("echo", token_digests={})
        revoked_at = time.monotonic()
        assert wire.rest() == b"\x88\x02\x03\xf0"
        return time.monotonic() - revoked_at

    once_within(0.5, revoke)


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
