"""Hosts that are no model's: everything goes to the web process as it came."""

import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.router import model as models
from tests.router.harness import ControlPlane, Router, free_port, head, running_router
from tests.router.model import Model, Seen


@pytest.fixture
def web(tmp_path: Path, control: ControlPlane, model: Model) -> Iterator[Router]:
    """A router whose dashboard is `model`."""
    address = f"127.0.0.1:{model.port}"
    with running_router(tmp_path, "--redis", control.url, "--dashboard", address) as router:
        yield router


def test_what_a_browser_sends_arrives_as_it_was(web: Router, model: Model):
    sent = ("Cookie: sessionid=a; csrftoken=b", "Origin: http://localhost:8000", "X-CSRFToken: c")

    answer = web.request(
        "POST", "/models/../x//?a=1", host="localhost:8000", headers=sent, body=b"f=1"
    )

    said = answer.json
    assert said["line"] == "POST /models/../x//?a=1 HTTP/1.1"
    assert said["headers"]["cookie"] == "sessionid=a; csrftoken=b"
    assert said["headers"]["host"] == said["headers"]["x-forwarded-host"] == "localhost:8000"
    assert said["headers"]["authorization"].startswith("Bearer ")
    assert said["headers"]["x-forwarded-proto"] == "http"
    assert said["body"] == "f=1"


def test_each_request_gets_a_number_that_no_caller_chooses(web: Router, model: Model):
    seen = [
        web.request("GET", "/", host="localhost", headers=("X-Request-Id: mine-mine-mine",)).json
        for _ in range(2)
    ]

    numbers = [each["headers"]["x-request-id"] for each in seen]
    assert numbers[0] != numbers[1]
    assert all(re.fullmatch(r"[0-9a-f-]{36}", each) for each in numbers)


def test_what_the_web_process_answers_is_not_touched(web: Router, model: Model):
    model.handler = models.answer(
        404, b"<p>no", headers=("Content-Type: text/html", "Set-Cookie: a=b; Domain=localhost")
    )

    answer = web.request("GET", "/nowhere", host="localhost")

    assert (answer.status, answer.body) == (404, b"<p>no")
    assert "access-control-allow-origin" not in answer.headers


def test_the_bare_base_domain_is_the_dashboards(web: Router, model: Model):
    assert web.request("GET", "/", host="models.test").json["line"] == "GET / HTTP/1.1"


def test_a_dashboard_that_is_down_says_so(tmp_path: Path, control: ControlPlane):
    arguments = ("--redis", control.url, "--dashboard", f"127.0.0.1:{free_port()}")
    with running_router(tmp_path, *arguments) as router:
        program = router.request("GET", "/api/v1/models", host="localhost")
        person = router.request("GET", "/", host="localhost", headers=("Accept: text/html,*/*",))

    assert (program.status, program.code) == (503, "dashboard_down")
    assert (person.status, person.headers["content-type"][:9]) == (503, "text/html")


def test_without_a_dashboard_other_hosts_are_404(router: Router):
    assert router.request("GET", "/", host="localhost").code == "not_served_here"


def test_an_open_event_stream_does_not_keep_the_router_from_stopping(web: Router, model: Model):
    def stream(seen: Seen, connection: socket.socket) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n"
        )
        time.sleep(60)

    model.handler = stream
    wire = web.wire().send(head("GET", "/events", host="localhost"))
    wire._more()
    asked = time.monotonic()

    web.process.send_signal(signal.SIGTERM)

    assert web.process.wait(10) == 0
    assert time.monotonic() - asked < 5
