"""Three nodes on this machine for tests, one set at a time, gone afterwards."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hosting import catalogue
from hosting.runtimes.docker import DockerRuntime
from hosting.runtimes.docker_images import BASE_IMAGE
from tests import worlds

ROOT = Path(__file__).resolve().parents[1]
_SCRIPT = ROOT / "scripts" / "three_nodes.sh"
_TOOLS = ("dockerd", "docker", "nsenter", "unshare", "ip", "iptables")
_LOCK = Path(tempfile.gettempdir()) / "dormouse-nodes.lock"


@dataclass(frozen=True)
class Nodes:
    """A cluster with the echo model's image on every node."""

    folder: Path
    state_dir: Path  # where the builds of the echo model are known
    image: str

    @property
    def manager(self) -> str:
        return f"unix://{self.folder}/1/docker.sock"

    def cut(self, hostname: str) -> None:
        """The node loses its power."""
        _run(self.folder, "cut", hostname.removeprefix("node"))


@contextmanager
def three_nodes() -> Iterator[Nodes]:
    """Start the nodes, or skip where that can't be done, and say why."""
    if os.geteuid() != 0 or not all(map(shutil.which, _TOOLS)):
        pytest.skip("three nodes on one machine need root, docker.io, iptables and util-linux")
    with _LOCK.open("w") as lock:  # their network has fixed addresses
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = Path(tempfile.mkdtemp(prefix="dmn-"))  # short: sockets live in it
        try:
            state_dir, image = _echo(folder)
            started = _run(folder, "up", image, BASE_IMAGE)
            if started.returncode:
                pytest.skip(f"three nodes can't be started here: {started.stderr[-300:]}")
            yield Nodes(folder, state_dir, image)
        finally:
            _run(folder, "down")


def _echo(folder: Path) -> tuple[Path, str]:
    """Build the echo model on this machine's engine."""
    state_dir = folder / "state"
    builder = DockerRuntime(installation="builder", state_dir=state_dir)
    builder.build(catalogue.recipe(worlds.ECHO), progress=lambda *_: None)
    return state_dir, builder._images.resolve(worlds.ECHO.image)


def _run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", str(_SCRIPT), *arguments],
        env={**os.environ, "NODES_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=150,
    )
