"""What is answered of a sleeping model without waking it."""

import json
from typing import Any

import pytest

from tests.router.harness import ControlPlane, Router
from tests.router.model import Model

INPUTS = [
    {"name": "prompt", "type": "text", "default": "", "minLength": 0, "description": None},
    {"name": "count", "type": "number", "default": 1, "min": 1, "max": 9, "description": None},
]
INFO = json.dumps({"name": "echo", "inputs": INPUTS, "outputs": []}, indent=1) + "\n"


@pytest.fixture
def router(shared_router: Router) -> Router:
    return shared_router


@pytest.fixture
def sleeper(router: Router, control: ControlPlane, model: Model) -> Router:
    def wake(kwargs: dict[str, Any]) -> None:
        control.awake("echo", model.port)

    control.on_wake = wake
    control.publish("echo", info=INFO, protocol="runway")
    router.knows()
    return router


def test_the_info_of_a_sleeper_is_told_byte_for_byte_and_nobody_is_woken(
    sleeper: Router, control: ControlPlane
):
    answer = sleeper.request("GET", "/v1/info")

    assert answer.status == 200
    assert answer.body.decode() == INFO
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-dormouse-state"] == "asleep"
    assert control.wakes() == []


def test_the_info_of_a_private_sleeper_needs_its_token(sleeper: Router):
    assert sleeper.request("GET", "/v1/info", token=None).status == 401


def test_a_hundred_invalid_queries_wake_nobody_and_are_not_counted(
    sleeper: Router, control: ControlPlane
):
    bodies = [b'{"count": 10}', b'{"prompt": 5}', b"no json", b"[]"] * 25

    answers = [sleeper.query(body=body) for body in bodies]

    assert {answer.status for answer in answers} == {422}
    assert control.wakes() == []
    events = [each for each in sleeper.events() if each.route == "query"]
    assert len(events) == 100
    assert not any(each.counted for each in events)


def test_a_refusal_names_the_field_and_what_was_expected(sleeper: Router):
    error = sleeper.query(body=b'{"count": 10}').json["error"]

    assert error["code"] == "invalid_input"
    assert error["param"] == "count"
    assert error["message"] == "count: Expected a number, 1 to 9."


def test_a_valid_query_wakes_as_ever(sleeper: Router, control: ControlPlane):
    assert sleeper.query(body=b'{"count": 2}').status == 200
    assert len(control.wakes()) == 1


def test_a_model_that_is_awake_judges_for_itself(
    router: Router, control: ControlPlane, model: Model
):
    control.awake("echo", model.port, info=INFO)
    router.knows()

    assert router.query(body=b'{"count": 10}').status == 200


@pytest.mark.parametrize(
    "fields", [{"info": None}, {"info": "not json"}, {"info": INFO, "protocol": "http"}]
)
def test_where_inputs_are_not_known_the_model_is_woken(
    router: Router, control: ControlPlane, model: Model, fields: dict[str, Any]
):
    control.on_wake = lambda _: control.awake("echo", model.port)
    control.publish("echo", **fields)
    router.knows()

    assert router.query(body=b'{"count": 10}').status == 200


def test_a_packed_body_is_left_to_the_model(sleeper: Router, control: ControlPlane):
    sleeper.query(body=b"packed", headers=["Content-Encoding: gzip"])

    assert len(control.wakes()) == 1
