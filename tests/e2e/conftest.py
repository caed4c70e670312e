"""The whole system: started once per runtime for the tests of this folder, ended after them."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack

# What the npm client insists on: this domain, and no port in the address.
CLIENT_DOMAIN = "hosted-models.runwayml.cloud"
CHROMIUM = str(Path(__file__).with_name("steady_chromium.py"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests time: the first of them waits for the whole system."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A short path: sockets live in it."""
    folder = Path(tempfile.mkdtemp(prefix="dormouse-e2e-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def process_stack(folder: Path) -> Iterator[Stack]:
    """The system with models as plain processes, under the npm client's domain."""
    port = 80 if can_listen(80) else free_port()
    yield from _running(
        Stack(folder / "p", port=port, runtime="process", base_domain=CLIENT_DOMAIN)
    )


@pytest.fixture(scope="package")
def docker_stack(folder: Path) -> Iterator[Stack]:
    """The system with models in real containers, under localhost."""
    yield from _running(
        Stack(folder / "d", port=free_port(), runtime="docker", base_domain="localhost")
    )


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def stack(request: pytest.FixtureRequest) -> Stack:
    """The system, once with each runtime."""
    running: Stack = request.getfixturevalue(f"{request.param}_stack")
    return running


def _running(stack: Stack) -> Iterator[Stack]:
    stack.start()
    yield stack
    assert stack.stop() == 0


def free_port() -> int:
    """A port with a free one above it, for the dashboard."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def can_listen(port: int) -> bool:
    """Whether we may and can have this port."""
    if port < 1024 and os.geteuid() != 0:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
