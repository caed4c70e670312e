"""The documented curl commands, to the letter; only host and token are ours."""

import json
import shlex
import subprocess

import pytest

from tests.e2e.stack import Hosted, Stack

STATUS = """\
curl -H "Authorization: Bearer <token>" \\
https://example-text-generator.hosted-models.runwayml.cloud/v1"""
# The second `curl` is in the documents; curl takes it for another address and goes on.
INFO = """\
curl -H "Authorization: Bearer <token>" \\
curl https://example-text-generator.hosted-models.runwayml.cloud/v1/info"""
QUERY = """\
curl \\
-X POST \\
-H "Authorization: Bearer <token>" \\
-d '{ "prompt": "Finish my sentence" }' \\
https://example-text-generator.hosted-models.runwayml.cloud/v1/query"""


@pytest.fixture
def model(stack: Stack) -> Hosted:
    written = stack.demo["models"][0]
    return Hosted(stack, subdomain=written["subdomain"], token=written["token"])


def run(command: str, model: Hosted, *, token: str | None = None):
    port = model.stack.port
    address = f"http://{model.host}:{port}"
    command = command.replace(
        "https://example-text-generator.hosted-models.runwayml.cloud", address
    ).replace("<token>", token or str(model.token))
    words = shlex.split(command.replace("\\\n", ""))
    words[1:1] = ["-sS", "--noproxy", "*", "--resolve", f"{model.host}:{port}:127.0.0.1"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=120)
    return json.loads(ended.stdout)


def test_the_status_has_the_documented_form(model: Hosted):
    answer = run(STATUS, model)

    assert answer.pop("status") in ("starting", "running")
    assert answer == {"queryRoute": "/v1/query", "dataRoute": None, "errorRoute": None}


def test_the_query_has_the_documented_form(model: Hosted):
    answer = run(QUERY, model)

    assert set(answer) == {"generated_text", "encountered_end"}
    assert isinstance(answer["generated_text"], str)


def test_the_info_names_the_command_and_its_fields(model: Hosted):
    answer = run(INFO, model)

    assert answer["name"] == "generate_batch"
    inputs = [field["name"] for field in answer["inputs"]]
    assert inputs == ["prompt", "max_characters", "top_p", "seed"]
    outputs = [field["name"] for field in answer["outputs"]]
    assert outputs == ["generated_text", "encountered_end"]


@pytest.mark.parametrize("command", [STATUS, INFO, QUERY])
def test_a_wrong_token_is_refused_in_json(model: Hosted, command: str):
    assert run(command, model, token="wrong")["error"]


@pytest.mark.docker
def test_the_line_of_the_banner_works_as_pasted(docker_stack: Stack):
    output = docker_stack.state.parent / f"{docker_stack.state.name}.out"
    line = next(each for each in output.read_text().splitlines() if "Try  " in each)

    ended = subprocess.run(
        ["bash", "-c", line.split("Try", 1)[1]], capture_output=True, text=True, timeout=120
    )

    assert json.loads(ended.stdout)["generated_text"]
