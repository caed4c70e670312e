"""A Redis, a control plane, a model and a router for each test that asks."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from hosting.router import compiled
from hosting.wire import ROUTES_EPOCH_KEY
from supervisor import valkey
from tests.router.harness import ControlPlane, Router, free_port, running_router, wait_until
from tests.router.model import Model

FORMS = ["plain", "compiled"] if compiled.place().is_dir() else ["plain"]


@pytest.fixture(scope="module", params=FORMS, autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both forms the router comes in, where it has been compiled: every test is true of each."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "plain":
            patch.setenv(compiled.OFF, "1")
        yield request.param


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run what is marked `once` in the form that is served: it waits, and the form can't matter."""
    spared = [
        item
        for item in items
        if item.get_closest_marker("once") and "[plain" in item.name and "compiled" in FORMS
    ]
    if spared:
        config.hook.pytest_deselected(items=spared)
        items[:] = [item for item in items if item not in spared]


class OwnRedis:
    """A Redis that a test may stop, kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        # The system's own where there is one: an older server than the one that comes with us.
        binary = shutil.which("redis-server") or valkey.binary()
        command = [
            binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "yes", "--dir", str(self._folder), "--daemonize", "no",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    @contextmanager
    def away(self) -> Iterator[None]:
        """Meanwhile nobody listens there."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Meanwhile it refuses nothing and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def control(own_redis: OwnRedis) -> Iterator[ControlPlane]:
    with redis.Redis.from_url(own_redis.url) as client:
        client.flushall()
    plane = ControlPlane(own_redis.url)
    yield plane
    plane.close()


@pytest.fixture
def model() -> Iterator[Model]:
    server = Model()
    yield server
    server.close()


@pytest.fixture
def router(tmp_path: Path, control: ControlPlane) -> Iterator[Router]:
    with running_router(tmp_path, "--redis", control.url) as process:
        yield process


@pytest.fixture(scope="module")
def lasting_router(
    tmp_path_factory: pytest.TempPathFactory, own_redis: OwnRedis, form: str
) -> Iterator[Router]:
    """One router for a whole file."""
    with redis.Redis.from_url(own_redis.url) as client:
        client.set(ROUTES_EPOCH_KEY, "1")  # the table is there, and empty
    folder = tmp_path_factory.mktemp("router")
    with running_router(folder, "--redis", own_redis.url) as process:
        yield process


@pytest.fixture
def shared_router(lasting_router: Router, control: ControlPlane) -> Iterator[Router]:
    """The file's router as this test sees it: with callers and events of its own.

    For files that neither end it nor start others: `router` is this one there. Its models are new
    to it in each test, with nothing in flight and nothing remembered.
    """
    router = replace(lasting_router, wires=[], since=time.time())
    yield router
    router.hang_up()
    control.finish()
    for subdomain in list(control.routes):
        control.publish(subdomain, removed=True)
        router.forgot(subdomain)


@pytest.fixture
def awake(router: Router, control: ControlPlane, model: Model) -> Router:
    """A router that knows one awake model, `echo`."""
    control.known_to_router(control.awake("echo", model.port))
    return router


@pytest.fixture
def passing(router: Router, control: ControlPlane, model: Model) -> Router:
    """A router that passes every path of `echo` through."""
    control.known_to_router(control.awake("echo", model.port, protocol="openai", concurrency=0))
    return router


@pytest.fixture
def sleeper(router: Router, control: ControlPlane, model: Model) -> Router:
    """A router that knows one sleeping model, `echo`, whose wake takes a moment."""
    return sleeping(router, control, model)


def sleeping(router: Router, control: ControlPlane, model: Model, **rules: Any) -> Router:
    """The same, with rules on who may wake it."""

    def wake(kwargs: dict[str, Any]) -> None:
        control.publish("echo", state="awakening")
        time.sleep(0.1)
        control.awake("echo", model.port)

    control.on_wake = wake
    control.publish("echo", **rules)
    router.knows()
    return router
