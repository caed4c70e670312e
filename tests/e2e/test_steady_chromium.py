"""The browser of these tests loads its pages while networks come and go around it."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import sync_playwright

from tests.e2e.conftest import BROWSER_ARGUMENTS, CHROMIUM

pytestmark = pytest.mark.browser
# More than a browser has connections for: those that wait for one are aborted first.
LOAD = """Promise.all([...Array(200).keys()].map((number) => fetch(`/${number}`)))
    .then((answers) => answers.filter((answer) => answer.ok).length)"""


class Slow(BaseHTTPRequestHandler):
    """Answers after a moment."""

    def do_GET(self) -> None:
        time.sleep(0.05)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def restless() -> Iterator[None]:
    """Meanwhile a bridge with an address comes and goes, as with Docker's networks."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("making networks needs root and iproute2")
    name, stop = f"dm{os.getpid() % 10**6}", threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            for command in (
                f"link add {name} type bridge",
                f"addr add 192.0.2.1/24 dev {name}",
                f"link set {name} up",
                f"link del {name}",
            ):
                subprocess.run(["ip", *command.split()], check=True)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    yield
    stop.set()
    thread.join()


def test_everything_loads_while_networks_come_and_go(address: str, restless: None):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_ARGUMENTS)
        page = browser.new_page()
        page.goto(address)

        answered = page.evaluate(LOAD)

        browser.close()
    assert answered == 200
