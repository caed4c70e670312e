"""`make up` and `make down`: what is in the way, what a killed one leaves, what stays."""

import json
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import free_port
from tests.e2e.stack import ROOT, Hosted, Stack, eventually


@pytest.fixture(scope="module")
def state(folder: Path) -> Iterator[Path]:
    """Where the installation of these tests lives: making a database takes longer than a start."""
    state = folder / "u"
    yield state
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture
def stack(state: Path) -> Iterator[Stack]:
    """An installation that does not run."""
    stack = Stack(state, port=free_port(), runtime="process", base_domain="localhost")
    yield stack
    stack.command("down")
    stack.reap()


def processes_of(stack: Stack) -> list[str]:
    """Everything that runs because of this installation: its folder is in the environment."""
    found = []
    marker = f"DORMOUSE_STATE_DIR={stack.state}\0".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker in environment.read_bytes():
                found.append((environment.parent / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return found


def test_a_busy_port_is_one_clear_line_and_nothing_is_left(stack: Stack):
    with socket.create_server(("127.0.0.1", stack.port)):
        ended = stack.command("up")

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [ended.stderr.strip()]
    assert f"Port {stack.port} is taken by process" in ended.stderr
    assert processes_of(stack) == []


def test_a_missing_engine_is_one_clear_line(stack: Stack, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    stack.runtime = "docker"

    ended = stack.command("up")

    assert ended.stderr.startswith("dormouse: No Docker engine answers at unix:///nowhere")
    assert len(ended.stderr.splitlines()) == 1


def test_wrong_settings_are_named_all_at_once(stack: Stack, monkeypatch):
    stack.runtime = "podman"
    stack.base_domain = "http://x"

    ended = stack.command("up")

    assert len(ended.stderr.splitlines()) == 1
    assert "DORMOUSE_RUNTIME" in ended.stderr
    assert "DORMOUSE_BASE_DOMAIN" in ended.stderr


def test_a_stopped_installation_leaves_nothing_running_and_keeps_its_data(stack: Stack):
    stack.start()
    first = stack.demo
    model = stack.host()
    model.query(text="awake").raise_for_status()

    assert stack.stop() == 0
    assert processes_of(stack) == []

    left = worker_that_takes_tasks(stack)
    stack.start()
    assert worker_that_takes_tasks(stack) != left  # an earlier one's word is void
    again = Hosted(stack, model.subdomain, model.token)
    assert stack.demo == first
    assert again.query(text="still here").json()["text"] == "still here"
    assert again.moves()[-3:] == ["asleep", "awakening", "awake"]


def test_what_a_killed_one_left_is_cleaned_by_down(stack: Stack):
    stack.start()
    stack.host().query(text="awake").raise_for_status()
    stack.kill()

    ended = stack.command("down")

    assert "stopped" in ended.stdout
    assert processes_of(stack) == []


def test_in_the_background_it_serves_once_the_command_is_back(stack: Stack):
    started = stack.command("up", "--detach")
    assert started.returncode == 0, started.stderr
    assert "Dormouse is up." in started.stdout
    assert "already runs" in stack.command("up").stderr
    assert "--queues lifecycle" in cmdline(worker_that_takes_tasks(stack))

    file = stack.state / "demo.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    demo = json.loads(file.read_text())
    assert set(demo) == {
        "dashboard_url",
        "router_url",
        "base_domain",
        "email",
        "password",
        "api_key",
        "models",
    }
    assert curl(demo["dashboard_url"]).startswith("HTTP/1.1 302")
    assert curl(demo["models"][1]["url"]).startswith("HTTP/1.1 200")

    reset = stack.command("reset")
    assert reset.returncode == 0, reset.stderr
    assert json.loads(file.read_text())["password"] != demo["password"]

    assert stack.command("down").stdout == "Stopping ...\nDormouse is stopped.\n"
    eventually(lambda: processes_of(stack) == [])  # its own process says so, and ends


def worker_that_takes_tasks(stack: Stack) -> int:
    return int((stack.state / "run" / "lifecycle-worker").read_text())


def cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def curl(url: str) -> str:
    command = ["curl", "-si", "--noproxy", "*", url]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30).stdout
