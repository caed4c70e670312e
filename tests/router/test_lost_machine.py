"""A model's machine that is gone without a word: no FIN, no RST, nothing more."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hosting.router.pool import Replica, Served, dial
from hosting.wire import ReplicaAddress, Route
from tests.router.harness import ControlPlane, Router, wait_until
from tests.router.model import Model

pytestmark = [pytest.mark.once, pytest.mark.timeout(90)]

SERVE = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b'{"far":true}')

    def log_message(self, *_): ...

ThreadingHTTPServer(("", 9000), Model).serve_forever()
"""


class Machine:
    """A network namespace of its own, where a model listens, until it is cut off."""

    HERE, THERE = "198.51.100.1", "198.51.100.7"

    def __init__(self) -> None:
        self.name, self.link = f"dm-far-{os.getpid()}", f"dmf{os.getpid()}"

    def __enter__(self) -> "Machine":
        there = f"{self.link}t"
        _ip("netns", "add", self.name)
        _ip("link", "add", self.link, "type", "veth", "peer", there, "netns", self.name)
        _ip("addr", "add", f"{self.HERE}/32", "dev", self.link)
        _ip("link", "set", self.link, "up")
        _ip("route", "add", f"{self.THERE}/32", "dev", self.link)
        _ip("-n", self.name, "addr", "add", f"{self.THERE}/32", "dev", there)
        _ip("-n", self.name, "link", "set", there, "up")
        _ip("-n", self.name, "route", "add", f"{self.HERE}/32", "dev", there)
        inside = ["ip", "netns", "exec", self.name, sys.executable, "-c", SERVE]
        self._server = subprocess.Popen(inside)
        return self

    @property
    def replica(self) -> ReplicaAddress:
        return ReplicaAddress(1, self.THERE, 9000)

    def cut_off(self) -> None:
        """What is sent there arrives nowhere, and nobody says so."""
        _ip("-n", self.name, "link", "set", f"{self.link}t", "down")

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._server.wait()
        _ip("link", "del", self.link)
        _ip("netns", "del", self.name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def machine() -> Iterator[Machine]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a machine that can be cut off needs root and iproute2")
    with Machine() as machine:
        yield machine


def test_a_request_that_a_lost_machine_never_took_is_answered_by_another(
    machine: Machine, router: Router, control: ControlPlane, model: Model
):
    far = control.publish("echo", state="awake", replicas=(machine.replica,))
    control.known_to_router(far)
    wait_until(lambda: router.query().json == {"far": True})

    machine.cut_off()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(router.query)
        wait_until(lambda: (said := control.report(far.model_id)) and said.in_flight)
        control.known_to_router(control.awake("echo", model.port))
        answer = asked.result(60)

    assert answer.status == 200
    assert len(model.seen) == 1


def test_a_model_that_reads_nothing_for_long_is_not_taken_for_lost():
    """Its machine takes no more and says so when asked: back-pressure, however long it lasts."""

    async def fill(address: ReplicaAddress) -> bool:
        connection = await dial(Replica(address, Served(Route(1, "echo", 1))), seconds=5)
        assert connection.transport is not None
        connection.transport.write(b"x" * (16 << 20))
        await asyncio.sleep(15)  # the time after which one that is gone is known to be
        unheard = connection.unheard()
        connection.abort()
        await asyncio.sleep(0.05)
        return unheard

    with socket.create_server(("127.0.0.1", 0)) as server:  # the kernel connects for it
        assert asyncio.run(fill(ReplicaAddress(1, *server.getsockname()))) is False
