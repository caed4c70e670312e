"""Every bound has an answer with a name, or closes the connection."""

import time
from pathlib import Path

import pytest

from tests.router.harness import (
    ControlPlane,
    Router,
    head,
    once_within,
    running_router,
    wait_until,
)
from tests.router.model import Model, after

TIGHT = {
    "head_seconds": 1, "idle_seconds": 1, "slow_body_after_seconds": 0.5, "connections": 10,
    "held_per_process": 3, "linger_seconds": 1,
}  # fmt: skip


@pytest.fixture
def tight(tmp_path: Path, control: ControlPlane, model: Model):
    """A router with little patience that knows one awake model, `echo`."""
    limits = [part for each in TIGHT.items() for part in ("--limit", f"{each[0]}={each[1]}")]
    with running_router(tmp_path, "--redis", control.url, *limits) as router:
        control.known_to_router(control.awake("echo", model.port, concurrency=1))
        yield router


def test_a_head_that_takes_too_long_is_408(tight: Router):
    wire = tight.wire().send(b"GET /v1 HTTP/1.1\r\nHost: ec")

    assert wire.read().code == "head_timeout"
    assert wire.closed()


@pytest.mark.parametrize(
    "framing", ["Content-Length: 5000000", "Content-Length: 500", "Transfer-Encoding: chunked"]
)
def test_a_body_that_trickles_is_408(tight: Router, model: Model, framing: str):
    wire = tight.wire().send(head("POST", "/v1/query", headers=(framing,)))
    wire.send(b"2\r\nab\r\n")

    answer = wire.read()

    assert (answer.status, answer.code) == (408, "body_timeout")
    assert not model.seen
    assert tight.event().outcome == "refused"


def test_an_idle_connection_is_closed(tight: Router):
    def stay() -> float:
        wire, asked_at = tight.wire(), time.monotonic()
        assert wire.send(head("GET", "/v1")).read().status == 200
        assert wire.closed()
        stayed = time.monotonic() - asked_at
        assert stayed > 0.7
        return stayed

    once_within(3, stay)


def test_a_connection_too_many_is_told_so(tight: Router):
    others = [tight.wire() for _ in range(10)]
    for wire in others:
        wire.send(b"GET ")

    assert tight.wire().read().code == "too_many_connections"


def test_more_than_a_process_may_hold_is_refused(tight: Router, model: Model):
    model.handler = after(1.5)
    wires = [tight.wire().send(head("POST", "/v1/query", body=b"{}")) for _ in range(6)]

    statuses = sorted(wire.read().status for wire in wires)

    assert statuses == [200, 200, 200, 200, 503, 503]


def test_what_is_held_has_a_bound_in_bytes(tmp_path: Path, control: ControlPlane, model: Model):
    model.handler = after(1)
    limits = ("--limit", "held_bytes=1000000")
    with running_router(tmp_path, "--redis", control.url, *limits) as router:
        control.known_to_router(control.awake("echo", model.port, concurrency=1))
        first = router.wire().send(head("POST", "/v1/query", body=b"x" * 600_000))
        wait_until(lambda: model.seen)

        assert router.query(b"x" * 600_000).code == "queue_full"
        assert first.read().status == 200


def test_who_is_told_that_the_queue_is_full_is_told_when_to_come_back(tight: Router, model: Model):
    model.handler = after(1)
    wires = [tight.wire().send(head("POST", "/v1/query", body=b"{}")) for _ in range(5)]

    refused = [answer for wire in wires if (answer := wire.read()).status == 503]

    assert [answer.headers["retry-after"] for answer in refused] == ["5"]
