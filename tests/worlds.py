"""Each runtime with a way to make things happen to its replicas: one suite tests them all."""

import http.client
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hosting import catalogue
from hosting.errors import RuntimeUnavailable
from hosting.runtimes.base import Observed, ReplicaSpec, Runtime
from hosting.runtimes.docker import DockerRuntime
from hosting.runtimes.process import ProcessRuntime
from hosting.runtimes.swarm import SwarmRuntime
from tests.fakes import FakeRuntime

ECHO = next(entry for entry in catalogue.entries() if entry.slug == "echo")
ENVIRONMENT = {"RW_HOST": "0.0.0.0", "RW_PORT": "9000"}


def spec(name: str, **changes) -> ReplicaSpec:
    """An echo replica, with whatever the test is about."""
    plain = ReplicaSpec(
        name=name,
        image=ECHO.image,
        port=9000,
        environment=ENVIRONMENT,
        resources=ECHO.resources,
        labels={"model": "17"},
        port_variable="RW_PORT",
    )
    return replace(plain, **changes)


def ask(observed: Observed, path: str, body: object = None, *, timeout: float = 10):
    """One request to a replica; returns status and JSON."""
    connection = http.client.HTTPConnection(observed.host or "", observed.port, timeout=timeout)
    try:
        data = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, body=data)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def eventually(look, *, within_seconds: float = 20.0):
    """Ask again until the answer is true: what real processes do takes its time."""
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            found = look()
        except OSError:
            found = None
        if found or time.monotonic() > deadline:
            assert found, "it didn't happen in time"
            return found
        time.sleep(0.01)


def said(runtime: Runtime, name: str) -> str:
    """What a replica has written so far, both streams."""
    return "".join(f"{each.text}\n" for each in runtime.log(name))


def ready(observed: Observed) -> Observed:
    """Wait until the server inside answers."""
    eventually(lambda: ask(observed, "/healthcheck")[0] == 200)
    return observed


class RealWorld:
    """A runtime that starts real servers, and its names that end with this process's id."""

    def __init__(self, make: Callable[[Path, str], Runtime], state_dir: Path) -> None:
        self._make = make
        self.state_dir = state_dir
        self.runtime: Runtime = make(state_dir, "test")
        self._started: list[tuple[Runtime, str]] = []

    def start(self, spec: ReplicaSpec, *, runtime: Runtime | None = None) -> Observed:
        runtime = runtime or self.runtime
        self._started.append((runtime, spec.name))
        return runtime.start(spec)

    def reopened(self) -> Runtime:
        """The same installation as a restarted worker sees it."""
        return self._make(self.state_dir, "test")

    def neighbour(self) -> Runtime:
        """Another installation on the same machine and engine, with the same builds."""
        other = self.state_dir.parent / "neighbour"
        if not other.exists():
            other.mkdir()
            shutil.copytree(self.state_dir / "builds", other / "builds")
        return self._make(other, "neighbour")

    def end(self, observed: Observed) -> None:
        """The server ends by itself, with exit code 3."""
        with suppress(OSError, http.client.HTTPException):
            ask(ready(observed), "/echo", {"crash": True})

    def listen(self, hear: Callable[[str], None]) -> None:
        """Hear of deaths until the engine goes away, or the test process ends."""
        listening = threading.Event()

        def hear_all() -> None:
            deaths = self.runtime.deaths()
            listening.set()
            with suppress(RuntimeUnavailable):
                for name in deaths:
                    hear(name)

        threading.Thread(target=hear_all, daemon=True).start()
        listening.wait(10)
        time.sleep(0.2)  # the generator connects at its first step

    def answers(self, observed: Observed) -> None:
        """The server answers."""
        ready(observed)

    def secret_folders(self) -> list[Path]:
        """Where replicas of this world have secrets now."""
        folder = self.state_dir / "secrets"
        return list(folder.iterdir()) if folder.exists() else []

    def found_on_disk(self, text: str) -> list[Path]:
        """Files below the state folder that hold a text."""
        files = [each for each in self.state_dir.rglob("*") if each.is_file()]
        return [each for each in files if text.encode() in each.read_bytes()]

    def clean(self) -> None:
        for runtime, name in self._started:
            runtime.stop(name, grace_seconds=0)
        self._started.clear()


class SwarmWorld(RealWorld):
    """Its secrets are the manager's, not files of this host."""

    def secret_folders(self) -> list[Path]:
        runtime = self.runtime
        assert isinstance(runtime, SwarmRuntime)
        ours = {"label": f"dormouse.installation={runtime.installation}"}
        return [Path(each["ID"]) for each in runtime._client.secrets(filters=ours)]


class FakeWorld:
    """The fake, held to the same promises."""

    def __init__(self) -> None:
        self.runtime = FakeRuntime()
        self._neighbour = FakeRuntime()
        self._hear: Callable[[str], None] | None = None
        missing = "The image isn't on this machine."
        self.runtime.refuse_images = {
            "no-such-image:1": missing,
            "catalogue:nothing": "The catalogue model “nothing” isn't built yet. Build it first.",
        }

    def start(self, spec: ReplicaSpec, *, runtime: FakeRuntime | None = None) -> Observed:
        observed = (runtime or self.runtime).start(spec)
        self.runtime.write_log(spec.name, "Ready\n")
        return observed

    def reopened(self) -> FakeRuntime:
        return self.runtime

    def neighbour(self) -> FakeRuntime:
        return self._neighbour

    def end(self, observed: Observed) -> None:
        self.runtime.exit(observed.name, exit_code=3)
        if self._hear is not None:
            for name in self.runtime.deaths():
                self._hear(name)

    def listen(self, hear: Callable[[str], None]) -> None:
        self.runtime.told.clear()
        self._hear = hear

    def answers(self, observed: Observed) -> None:
        assert self.runtime.find(observed.name) == observed

    def found_on_disk(self, text: str) -> list[Path]:
        return []

    def clean(self) -> None:
        for runtime in (self.runtime, self._neighbour):
            for each in runtime.replicas():
                runtime.stop(each.name)


def process_world(folder: Path) -> RealWorld:
    return RealWorld(_process, folder)


def docker_world(folder: Path) -> RealWorld:
    return RealWorld(_docker, folder)


def swarm_world(folder: Path, *, address: str) -> SwarmWorld:
    """The cluster whose manager answers at this address."""

    def make(state_dir: Path, installation: str) -> SwarmRuntime:
        return SwarmRuntime(
            installation=f"{installation}-{os.getpid()}", state_dir=state_dir, address=address
        )

    return SwarmWorld(make, folder)


def docker_network() -> str:
    """A network of this test process alone, so that it can be taken away again."""
    return f"dormouse-test-{os.getpid()}"


def _process(state_dir: Path, installation: str) -> ProcessRuntime:
    return ProcessRuntime(
        installation=installation, state_dir=state_dir, secrets_dir=state_dir / "secrets"
    )


def _docker(state_dir: Path, installation: str) -> DockerRuntime:
    return DockerRuntime(
        installation=f"{installation}-{os.getpid()}",
        state_dir=state_dir,
        network=docker_network(),
        secrets_dir=state_dir / "secrets",
    )
