"""The published JavaScript client, unpatched, against the whole system."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import ROOT, Hosted, Stack

PACKAGE = "@runwayml/hosted-models@0.3.0"
pytestmark = pytest.mark.node


@pytest.fixture(scope="session")
def packages() -> Path:
    """The client and what it needs, installed once per checkout."""
    folder = ROOT / "var" / "cache" / "npm-client"
    if not (folder / "node_modules" / "@runwayml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund"]
        command += ["--ignore-scripts", "--silent", PACKAGE]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=180)
        if ended.returncode:
            pytest.skip(f"the npm registry does not answer: {ended.stderr.strip()[:200]}")
    return folder


@pytest.fixture
def client(packages: Path, process_stack: Stack):
    """Do one thing with the client: the client takes no port, so the system must be on 80."""
    if process_stack.port != 80:
        pytest.skip("the client takes no port, and port 80 is taken or needs root")

    def client(model: Hosted, subject: str, *, suffix: str = "/v1") -> dict[str, Any]:
        url = f"http://{model.host}{suffix}"
        script = str(Path(__file__).with_name("client.js"))
        command = ["node", script, str(packages), url, model.token or "", subject]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
        said: dict[str, Any] = json.loads(ended.stdout)
        return said

    return client


@pytest.fixture
def model(process_stack: Stack) -> Hosted:
    return process_stack.host()


def test_a_wrong_token_is_named_as_such(client, model: Hosted):
    stranger = Hosted(model.stack, model.subdomain, token="wrong")

    assert "token" in client(stranger, "query")["message"].lower()


def test_an_unknown_model_is_named_as_such(client, process_stack: Stack):
    nobody = Hosted(process_stack, "nobody-home", token="any")

    assert "not found" in client(nobody, "query")["message"].lower()


def test_a_query_wakes_a_sleeping_model_and_gets_its_answer(client, model: Hosted):
    assert client(model, "query")["answer"]["text"] == "hello"


def test_a_model_that_fell_asleep_again_is_woken_again(client, model: Hosted):
    client(model, "query")
    model.sleep()

    assert client(model, "query")["answer"]["text"] == "hello"


def test_info_is_held_until_the_model_is_awake(client, model: Hosted):
    assert client(model, "info")["answer"]["name"] == "echo"


def test_asking_whether_it_is_awake_does_not_wait_for_it(client, process_stack: Stack):
    slow = process_stack.host(revision={"options": {"setup_seconds": 5}})

    assert client(slow, "isAwake") == {"answer": False}


def test_waiting_until_it_is_awake_ends(client, model: Hosted):
    assert client(model, "waitUntilAwake") == {"answer": True}


def test_an_address_with_a_slash_at_its_end_works_as_well(client, model: Hosted):
    assert client(model, "query", suffix="/v1/")["answer"]["text"] == "hello"


def test_a_public_model_needs_no_token(client, process_stack: Stack):
    assert client(process_stack.host(public=True), "query")["answer"]["text"] == "hello"
