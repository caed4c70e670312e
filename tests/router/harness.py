"""A router in a process of its own, the control plane it talks to, and callers of raw bytes."""

import hashlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import redis

from hosting.wire import (
    ROUTERS_KEY,
    ROUTES_CHANNEL,
    ROUTES_EPOCH_KEY,
    ROUTES_KEY,
    WORKER_KEY,
    WORKER_SECONDS,
    ReplicaAddress,
    Report,
    Route,
    UsageEvent,
    reports_key,
)

TOKEN = "aZ+/bQ9x0k7Lw2mN5pR8tA=="  # as older clients hold them
ROOT = Path(__file__).parents[2]


def digest(token: str = TOKEN) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def wait_until(condition: Callable[[], Any], *, seconds: float = 10.0) -> Any:
    """What the condition says once it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError("it did not become true in time")
        time.sleep(0.01)
    return value


def once_within(seconds: float, attempt: Callable[[], float]) -> None:
    """Some attempt of five says that it took less: any of them may meet a busy machine."""
    took: list[float] = []
    while not took or took[-1] >= seconds:
        assert len(took) < 5, took
        took.append(attempt())


@dataclass
class Answer:
    """One answer, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw_head: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


class Wire:
    """One connection of a caller, byte by byte."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, data: bytes) -> "Wire":
        # The router may have answered and closed before all was sent.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)
        return self

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(1 << 16)
        except ConnectionResetError:
            return b""

    def read(self, *, head_only: bool = False) -> Answer:
        """One answer; ConnectionError when it is cut off."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            assert name.lower() not in headers or name.lower() in ("set-cookie",), f"two {name}"
            headers[name.lower()] = value.strip()
        answer = Answer(int(first.split(" ")[1]), headers, b"", head)
        if 100 <= answer.status < 200 or answer.status in (204, 304) or head_only:
            return answer
        answer.body = self._body(headers)
        return answer

    def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return self._take(int(headers["content-length"]))
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                while b"\r\n" not in self.buffer:
                    self._more()
                size, _, self.buffer = self.buffer.partition(b"\r\n")
                piece = self._take(int(size, 16) + 2)[:-2]
                if not piece:
                    return body
                body += piece
        body, self.buffer = self.buffer, b""
        while data := self._receive():
            body += data
        return body

    def _take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _more(self) -> None:
        data = self._receive()
        if not data:
            raise ConnectionError(f"cut off after {self.buffer[:200]!r}")
        self.buffer += data

    def rest(self) -> bytes:
        """Everything until the router closes."""
        data = self.buffer
        while more := self._receive():
            data += more
        return data

    def until_the_end(self) -> tuple[bytes, bool]:
        """All that comes, and whether the connection was reset at the end."""
        received = b""
        try:
            while data := self.socket.recv(1 << 16):
                received += data
        except ConnectionResetError:
            return received, True
        return received, False

    def closed(self) -> bool:
        """Whether the router has closed; waits for it."""
        return not self._receive()

    def close(self) -> None:
        self.socket.close()


@dataclass
class Router:
    """A running router process."""

    port: int
    spool: Path
    process: subprocess.Popen[bytes]
    metrics_port: int = 0
    wires: list[Wire] = field(default_factory=list)
    since: float = 0.0  # whose events are not this test's came before, in seconds since the epoch

    def wire(self) -> Wire:
        wire = Wire(self.port)
        self.wires.append(wire)
        return wire

    def request(
        self,
        method: str,
        path: str,
        *,
        host: str = "echo.models.test",
        token: str | None = TOKEN,
        headers: tuple[str, ...] = (),
        body: bytes | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        wire = self.wire()
        wire.send(head(method, path, host=host, token=token, headers=headers, body=body))
        try:
            return wire.read(head_only=method == "HEAD")
        finally:
            wire.close()

    def query(self, body: bytes = b'{"prompt": "a"}', **kwargs: Any) -> Answer:
        headers = ("Content-Type: application/json", *kwargs.pop("headers", ()))
        return self.request("POST", "/v1/query", body=body, headers=headers, **kwargs)

    def knows(self, subdomain: str = "echo") -> None:
        """Wait until this model's route has arrived."""
        host = f"{subdomain}.models.test"
        wait_until(lambda: self.request("GET", "/", host=host).code != "not_found")

    def forgot(self, subdomain: str) -> None:
        """Wait until nobody has this name."""
        host = f"{subdomain}.models.test"
        wait_until(lambda: self.request("GET", "/", host=host).code == "not_found")

    def events(self) -> list[UsageEvent]:
        """Every usage event of a request since the test began, in order."""
        found = []
        for segment in sorted(self.spool.glob("*/*.log")):
            data = segment.read_bytes().rstrip(b"\0")
            found += [UsageEvent.from_line(line) for line in data.splitlines(keepends=True)]
        ours = [event for event in found if event.arrived_at >= self.since]
        return sorted(ours, key=lambda event: event.arrived_at)

    def event(self, number: int = 1) -> UsageEvent:
        """The newest event, once there are so many."""
        wait_until(lambda: len(self.events()) >= number)
        return self.events()[-1]

    def hang_up(self) -> None:
        for wire in self.wires:
            wire.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.hang_up()
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)


def head(
    method: str,
    path: str,
    *,
    host: str = "echo.models.test",
    token: str | None = TOKEN,
    headers: tuple[str, ...] = (),
    body: bytes | None = None,
) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode("latin-1") + (body or b"")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def free_pair() -> int:
    """The first of two ports in a row that nobody listens on."""
    while True:
        port = free_port()
        with suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            return port


@contextmanager
def running_router(folder: Path, *arguments: str) -> Iterator[Router]:
    """A router that listens; gone at the end, however the test ended."""
    port = free_port()
    log = (folder / "router.log").open("wb")
    command = [
        sys.executable, "-m", "hosting.router", "--listen", f"127.0.0.1:{port}",
        "--base-domain", "models.test", "--spool", str(folder / "spool"), "--router-id", "test",
        *arguments,
    ]  # fmt: skip
    paths = [str(ROOT), str(ROOT / "platform"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": ":".join(filter(None, paths))}
    process = subprocess.Popen(command, stderr=log, env=environment, start_new_session=True)
    router = Router(port, folder / "spool", process)
    try:
        wait_until(lambda: b"serving" in (folder / "router.log").read_bytes() or process.poll())
        assert process.poll() is None, (folder / "router.log").read_text()
        yield router
    finally:
        router.hang_up()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        log.close()


# Over all tests: to a router, a model of a later one is another model.
_numbers = itertools.count(1)
_BELL = 1 << 40


class ControlPlane:
    """What the router sees of the control plane: a table it publishes, a queue it takes wakes from.

    `on_wake` is called with the kwargs of each wake, in a thread of its own.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.redis = redis.Redis.from_url(url)
        self.nudges: list[tuple[str, dict[str, Any]]] = []
        self.leases: list[dict[str, Any]] = []  # what was said of leases
        self.routes: dict[str, Route] = {}
        self.on_wake: Callable[[dict[str, Any]], object] = lambda kwargs: None
        self.on_reconcile: Callable[[dict[str, Any]], object] = lambda kwargs: None
        self.on_leases: Callable[[dict[str, Any]], object] = lambda kwargs: None
        self._closing = False
        self._reactions: list[threading.Thread] = []
        self.redis.set(ROUTES_EPOCH_KEY, "1")
        self._thread = threading.Thread(target=self._take_nudges, daemon=True)
        self._thread.start()

    def publish(self, subdomain: str, **changes: Any) -> Route:
        """Change a route: a new generation, in the hash and on the channel."""
        known = self.routes.get(subdomain)
        if known is None:
            known = Route(
                model_id=next(_numbers), subdomain=subdomain, generation=0, team_id=7,
                revision_id=3, token_digests={digest(): 11}, protocol="runway",
                query_path="/run", info_path="/run",
            )  # fmt: skip
        route = replace(known, **{"generation": known.generation + 1, **changes})
        self.routes[subdomain] = route
        if route.removed:
            self.redis.hdel(ROUTES_KEY, subdomain)
        else:
            self.redis.hset(ROUTES_KEY, subdomain, route.to_json())
        self.redis.publish(ROUTES_CHANNEL, route.to_json())
        return route

    def awake(self, subdomain: str, *ports: int, **changes: Any) -> Route:
        replicas = tuple(
            ReplicaAddress(number, "127.0.0.1", port) for number, port in enumerate(ports, 1)
        )
        return self.publish(subdomain, state="awake", replicas=replicas, **changes)

    def live(self) -> None:
        """Show that a worker takes tasks."""
        self.redis.set(WORKER_KEY, 1, ex=WORKER_SECONDS)

    def wakes(self) -> list[dict[str, Any]]:
        return [kwargs for task, kwargs in self.nudges if task == "workers.wake"]

    def report(self, model_id: int) -> Report | None:
        """What the one router says of a model."""
        for router in cast("list[bytes]", self.redis.zrange(ROUTERS_KEY, 0, -1)):
            text = self.redis.hget(reports_key(router.decode()), str(model_id))
            if text:
                return Report.from_json(text)
        return None

    def known_to_router(self, route: Route) -> None:
        """Wait until the router has applied this route, or a newer one."""

        def applied() -> bool:
            report = self.report(route.model_id)
            return report is not None and report.generation >= route.generation

        self._ring()
        wait_until(applied)

    def _ring(self) -> None:
        """Have routers report at once what they know by now, as they do when a model is let go."""
        for _ in range(2):  # the first one makes the model known
            bell = Route(
                model_id=_BELL, subdomain="bell", generation=next(_numbers), team_id=7,
                revision_id=3, token_digests={}, protocol="runway", query_path="/run",
                info_path="/run",
            )  # fmt: skip
            self.redis.publish(ROUTES_CHANNEL, bell.to_json())

    def _take_nudges(self) -> None:
        import base64

        client = redis.Redis.from_url(self.url)
        while not self._closing:
            try:
                taken = client.blpop(["lifecycle", "default"], timeout=0.2)
            except redis.RedisError:
                time.sleep(0.05)
                continue
            if taken is None:
                continue
            message = json.loads(taken[1])
            _, kwargs, _ = json.loads(base64.b64decode(message["body"]))
            task = message["headers"]["task"]
            if task == "workers.lease_units":
                self.leases.append(kwargs)
                react = self.on_leases
            else:
                self.nudges.append((task, kwargs))
                react = self.on_wake if task == "workers.wake" else self.on_reconcile
            reaction = threading.Thread(target=react, args=(kwargs,), daemon=True)
            self._reactions.append(reaction)
            reaction.start()
        client.close()

    def finish(self) -> None:
        """Take nothing more, and let what was begun end: the next test has the same Redis."""
        self._closing = True
        for thread in (self._thread, *self._reactions):
            thread.join(5)

    def close(self) -> None:
        self.finish()
        self.redis.close()
