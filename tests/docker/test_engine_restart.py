"""An engine that goes and comes back while the kernel holds a container frozen."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from hosting.runtimes import cgroup_freezer
from hosting.runtimes.docker_freezer import DockerFreezer
from hosting.runtimes.docker_images import BASE_IMAGE
from hosting.runtimes.engine import Engine
from tests.worlds import eventually

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(
        os.geteuid() != 0 or not cgroup_freezer.obeys() or not shutil.which("dockerd"),
        reason="an engine of the test's own needs root and docker.io",
    ),
]

NAME = "frozen"


@contextmanager
def running(folder: Path, *options: str):
    """An engine in a network namespace of its own; it would take the other one's bridge away."""
    engine = Engine(f"unix://{folder}/sock")
    command = ["dockerd", f"--host=unix://{folder}/sock", f"--pidfile={folder}/pid"]
    command += [f"--data-root={folder}/data", f"--exec-root={folder}/exec"]
    command += ["--bridge=none", "--iptables=false", *options]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(["unshare", "--net", *command], stdout=log, stderr=log)
    try:
        eventually(lambda: process.poll() is not None or engine.is_there())
        yield engine
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="dme-"))  # short: sockets live in it
    yield made
    subprocess.run(["umount", "--lazy", made / "data"], check=False, capture_output=True)
    shutil.rmtree(made)


def run(engine: Engine, image: bytes) -> None:
    list(engine.client.load_image(image))
    engine.client.create_container(
        BASE_IMAGE,
        name=NAME,
        command=["sleep", "600"],
        stop_timeout=1,
        host_config=engine.client.create_host_config(network_mode="none", init=True),
    )
    engine.client.start(NAME)


@pytest.fixture
def image(docker_world):
    return b"".join(docker_world.runtime._engine.client.get_image(BASE_IMAGE))


def status(engine: Engine) -> str:
    return str(engine.client.inspect_container(NAME)["State"]["Status"])


def test_with_live_restore_it_stays_frozen_and_is_thawed(folder, image):
    with running(folder, "--live-restore") as engine:
        run(engine, image)
        DockerFreezer(engine).freeze(NAME)

    with running(folder, "--live-restore") as engine:
        freezer = DockerFreezer(engine)
        seen = freezer.is_frozen(engine.client.inspect_container(NAME))
        runs = freezer.thaw(NAME)
        then = freezer.is_frozen(engine.client.inspect_container(NAME)), status(engine)
        engine.client.remove_container(NAME, force=True)

    assert (seen, runs, then) == (True, True, (False, "running"))


def test_without_it_the_engine_goes_and_the_container_has_ended(folder, image):
    with running(folder) as engine:
        run(engine, image)
        DockerFreezer(engine).freeze(NAME)

    with running(folder) as engine:
        found = status(engine), DockerFreezer(engine).thaw(NAME)
        engine.client.remove_container(NAME, force=True)

    assert found == ("exited", False)
