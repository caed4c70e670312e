"""However a stream is cut into TCP segments, it means the same; nothing is half an answer."""

import asyncio
import itertools
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hosting.router.config import Config
from hosting.router.node import Node
from hosting.router.outbox import Outbox, Sender
from hosting.router.routes import RouteTable
from hosting.router.spool import Spool
from hosting.wire import ReplicaAddress, Route, UsageEvent
from tests.router.harness import TOKEN, digest, head

ROUTE = Route(
    model_id=1, subdomain="echo", generation=1, state="awake", query_path="/run", info_path="/run",
    token_digests={digest(): 5}, concurrency=0, protocol="openai",
    replicas=(ReplicaAddress(1, "127.0.0.1", 1),),
)  # fmt: skip

REQUESTS = [
    head("POST", "/v1/query", body=b'{"prompt": "a"}'),
    head("POST", "/v1/query", headers=("Transfer-Encoding: chunked",))
    + b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: x\r\n\r\n",
    head("GET", "/v1/info"),
    head("POST", "/v1/query", token="wrong", body=b"12345"),
    head("GET", "/v1"),
]

ANSWERS = [
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a": 12}',
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4\r\n{\"a\"\r\n5;e\r\n: 12}\r\n0\r\nT: x\r\n\r\n",
    b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b'Content-Length: 9\r\n\r\n{"a": 12}',
    b"HTTP/1.1 500 X\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nkaboom",
    b"HTTP/1.1 204 No Content\r\n\r\n",
]  # fmt: skip


class Pipe(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = False
        self.aborted = False

    def write(self, data: Any) -> None:
        assert not self.ended
        self.written += bytes(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.1", 5) if name == "peername" else default

    def is_closing(self) -> bool:
        return self.ended

    def is_reading(self) -> bool:
        return True

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = self.aborted = True


class AtOnce(Outbox):
    """An outbox without an event loop."""

    def send(self, sender: Sender, data: bytes) -> None:
        assert sender.transport is not None
        sender.transport.write(data)


class Bench:
    """A router without sockets: one caller, one connection to a model."""

    def __init__(self, folder: Path) -> None:
        self.node = Node(Config(base_domain="models.test", listen=(), spool=folder),
                         spool=Spool(folder, "test", segment_bytes=1 << 16))  # fmt: skip
        self.node.outbox = AtOnce()
        self.node.table = RouteTable(stale_after=1e9, clock=lambda: 0.0)
        self.node.table.replace({"echo": ROUTE})

    def start(self) -> None:
        from hosting.router.model_connection import ModelConnection

        endpoint = self.node.table.find("echo")
        assert endpoint is not None
        replica = endpoint.replicas[0]
        replica.drop_older_than(float("inf"))
        self.model = ModelConnection(replica)
        self.to_model = Pipe()
        self.model.connection_made(self.to_model)
        replica.put_back(self.model, now=1e12, most=1)
        self.caller = self.node.connect()
        self.to_caller = Pipe()
        self.caller.connection_made(self.to_caller)

    def events(self) -> list[UsageEvent]:
        found = []
        for segment in sorted(self.node._spool.directory.glob("*.log")):
            data = segment.read_bytes().rstrip(b"\0")
            found += [UsageEvent.from_line(line) for line in data.splitlines(keepends=True)]
        return found


@pytest.fixture(scope="module", autouse=True)
def form() -> str:
    """In this process, with connections that are none."""
    return "plain"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory):
    made = Bench(tmp_path_factory.mktemp("spool"))
    yield made
    made.node.close()


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def meaning(data: bytes) -> list[tuple[list[bytes], bytes]]:
    """The messages in a stream: heads without ids, times and framing, and whole bodies."""
    messages = []
    while data:
        head_, _, data = data.partition(b"\r\n\r\n")
        lines = head_.split(b"\r\n")
        body = b""
        if b"Transfer-Encoding: chunked" in lines:
            while True:
                size, _, data = data.partition(b"\r\n")
                length = int(size, 16)
                body, data = body + data[:length], data[length + 2 :]
                if not length:
                    break
        for line in lines:
            if line.startswith(b"Content-Length: "):
                length = int(line[16:])
                body, data = data[:length], data[length:]
        kept = [line for line in lines if not line.startswith(_DIFFERENT)]
        messages.append((kept, re.sub(rb'"request_id": "[^"]*"', b"", body)))
    return messages


_DIFFERENT = (b"X-Request-Id", b"Server-Timing", b"Content-Length", b"Transfer-Encoding")


def run(bench: Bench, request: list[bytes], answer: list[bytes]) -> Any:
    """What the model and the caller got."""
    bench.start()
    for piece in request:
        bench.caller.data_received(piece)
    for piece in answer:
        if bench.model.receiver is not None:
            bench.model.data_received(piece)
    return meaning(bench.to_model.written), meaning(bench.to_caller.written)


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_any_split_of_the_bytes_means_the_same(bench: Bench, request_: bytes, answer: bytes):
    whole = run(bench, [request_], [answer])

    @settings(max_examples=40)
    @given(
        st.lists(st.integers(0, 10_000), max_size=20), st.lists(st.integers(0, 10_000), max_size=9)
    )
    def check(cuts: list[int], answer_cuts: list[int]) -> None:
        assert run(bench, pieces(request_, cuts), pieces(answer, answer_cuts)) == whole

    check()


@pytest.mark.parametrize("answer", ANSWERS[:4])
def test_an_answer_cut_anywhere_is_an_error_or_a_cut_connection(bench: Bench, answer: bytes):
    for end in range(len(answer)):
        bench.start()
        bench.caller.data_received(REQUESTS[0])
        bench.model.data_received(answer[:end]) if end else None
        bench.model.connection_lost(None)

        said = bench.to_caller.written
        whole = b"HTTP/1.1 200" in said and (said.endswith((b'{"a": 12}', b"0\r\n\r\n")))
        assert not whole, end
        assert bench.to_caller.ended or b'"model_died"' in said, end


FRAMINGS = {
    "length": lambda body: (b"Content-Length: %d" % len(body), body),
    "chunks": lambda body: (
        b"Transfer-Encoding: chunked",
        b"".join(b"%x;e=1\r\n%b\r\n" % (len(part), part) for part in pieces(body, [7, 40]))
        + b"0\r\nT: x\r\n\r\n",
    ),
    "close": lambda body: (b"Server: x", body),
}  # fmt: skip


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
def test_whatever_a_model_says_its_caller_gets_all_of_it_or_a_cut(
    bench: Bench, framing: str, version: bytes
):
    request_ = REQUESTS[0].replace(b"/query", b"/other").replace(b"HTTP/1.1", version)

    @settings(max_examples=150)
    @given(
        status=st.sampled_from([200, 201, 400, 404, 429, 500, 502, 503]),
        body=st.binary(min_size=1, max_size=200),
        cuts=st.lists(st.integers(0, 10_000), max_size=9),
        lost=st.integers(0, 400),
        broken=st.booleans(),
    )
    def check(status: int, body: bytes, cuts: list[int], lost: int, broken: bool) -> None:
        line, framed = FRAMINGS[framing](body)
        answer = b"HTTP/1.1 %d X\r\nContent-Type: a/b\r\n%b\r\n\r\n%b" % (status, line, framed)
        sent = answer[: max(1, len(answer) - lost)] if broken else answer
        bench.start()
        bench.caller.data_received(request_)
        for piece in pieces(sent, cuts):
            if bench.model.receiver is not None:
                bench.model.data_received(piece)
        bench.model.connection_lost(ConnectionResetError() if sent != answer else None)

        said, was_cut = bench.to_caller.written, bench.to_caller.aborted
        assert was_cut or b'"code": "model_' in said or received(said) == body

    check()


def received(said: bytes) -> bytes:
    """The body a caller has, once the connection is closed in good order."""
    head_, _, rest = said.partition(b"\r\n\r\n")
    if b"Transfer-Encoding" in head_ or b"Content-Length" in head_:
        return meaning(said)[0][1]
    return rest


def test_requests_one_after_the_other_in_any_cut_get_one_answer_each(bench: Bench):
    order = random.Random(5)
    for _ in range(200):
        bench.start()
        stream = b"".join(REQUESTS[3:]) * 3
        for piece in pieces(stream, [order.randrange(len(stream)) for _ in range(12)]):
            bench.caller.data_received(piece)

        assert bench.to_caller.written.count(b"HTTP/1.1 401") == 3
        assert bench.to_caller.written.count(b"HTTP/1.1 200") == 3


def test_the_spool_line_is_the_one_the_ledger_reads(bench: Bench):
    before = len(bench.events())
    run(bench, [REQUESTS[0]], [ANSWERS[0]])

    event = bench.events()[before]

    assert event.to_line() in b"".join(
        segment.read_bytes() for segment in bench.node._spool.directory.glob("*.log")
    )
    assert (event.model_id, event.token_id, event.route, event.status) == (1, 5, "query", 200)
    assert (event.counted, event.bytes_in, event.bytes_out) == (True, 15, 9)
    assert TOKEN not in str(event)


def test_an_answer_goes_out_once_it_is_written_down_and_before_anything_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    bench.start()
    endpoint = bench.node.table.find("echo")
    assert endpoint is not None
    before = len(bench.events())
    seen: list[tuple[int, int]] = []

    def look(data: bytes) -> None:
        seen.append((len(bench.events()) - before, endpoint.in_flight))

    monkeypatch.setattr(bench.to_caller, "write", look)
    bench.caller.data_received(REQUESTS[0])
    bench.model.data_received(ANSWERS[0])

    assert seen == [(1, 1)]
    assert endpoint.in_flight == 0
