"""The whole system: started once per runtime for the tests of this folder, ended after them."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.stack import ROOT, Stack

# What the npm client insists on: this domain, and no port in the address.
CLIENT_DOMAIN = "hosted-models.runwayml.cloud"
CHROMIUM = str(Path(__file__).with_name("steady_chromium.py"))
BROWSER_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
]


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


@pytest.fixture(scope="package")
def site() -> Iterator[str]:
    """The web process on a database of its own, with a team and its models, for a browser."""
    name = f"dashboard_{os.getpid()}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    address = urlsplit(os.environ["DATABASE_URL"])
    environment = {
        **os.environ,
        "DATABASE_URL": urlunsplit(address._replace(path=f"/{name}")),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
    }
    for command in (["manage.py", "migrate", "-v", "0"], ["-m", "tests.e2e.seed_dashboard"]):
        subprocess.run([sys.executable, *command], env=environment, cwd=ROOT, check=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        options = ["--fd", str(listener.fileno()), "--log-level", "critical", "--lifespan", "off"]
        options += ["--timeout-graceful-shutdown", "1"]
        web = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "uvicorn", "config.asgi:application", *options],
            env=environment,
            cwd=ROOT,
            pass_fds=[listener.fileno()],
        )
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        web.terminate()
        web.wait(20)


@pytest.fixture(scope="package")
def browser(site: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_ARGUMENTS)
        yield found
        found.close()


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
