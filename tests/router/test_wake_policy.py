"""Who may wake a model, by which route: the others are told so, and wake nobody."""

import threading
from typing import Any

import pytest

from tests.router.conftest import sleeping
from tests.router.harness import ControlPlane, Router, head, wait_until
from tests.router.model import Model


@pytest.mark.parametrize(
    "rule",
    [{"no_wake_routes": ("query",)}, {"no_wake_methods": ("POST",)}, {"no_wake_tokens": (11,)}],
    ids=str,
)
def test_a_query_that_may_not_wake_is_told_so_and_wakes_nobody(
    router: Router, control: ControlPlane, model: Model, rule: dict[str, Any]
):
    sleeper = sleeping(router, control, model, **rule)

    answer = sleeper.query()

    assert (answer.status, answer.code) == (503, "asleep")
    assert "retry-after" not in answer.headers
    assert answer.headers["x-dormouse-state"] == "asleep"
    assert sleeper.event().outcome == "refused"
    assert not control.wakes()


def test_a_status_that_may_not_wake_is_answered_and_wakes_nobody(
    router: Router, control: ControlPlane, model: Model
):
    sleeper = sleeping(router, control, model, no_wake_routes=("status",))

    plain = sleeper.request("GET", "/v1")
    verbose = sleeper.request("GET", "/v1?verbose=1")

    assert plain.status == 200
    assert plain.json == {
        "status": "starting", "queryRoute": "/v1/query", "dataRoute": None, "errorRoute": None,
    }  # fmt: skip
    assert verbose.json["wakes"] is False
    assert sleeper.query().status == 200  # the query may, and is the first to wake it
    assert [wake["route"] for wake in control.wakes()] == ["query"]


def test_a_caller_without_a_token_may_be_kept_from_waking_a_public_model(
    router: Router, control: ControlPlane, model: Model
):
    sleeper = sleeping(router, control, model, public=True, no_wake_tokens=(0,))

    assert sleeper.query(token=None).code == "asleep"
    assert sleeper.query().status == 200
    assert sleeper.query(token=None).status == 200  # awake, it answers everybody
    assert [wake["token_id"] for wake in control.wakes()] == [11]


def test_who_may_not_wake_waits_along_with_who_may(
    router: Router, control: ControlPlane, model: Model
):
    sleeper = sleeping(router, control, model, public=True, no_wake_tokens=(0,))
    release = threading.Event()

    def wake(kwargs: dict[str, Any]) -> None:
        control.publish("echo", state="awakening")
        release.wait(5)
        control.awake("echo", model.port)

    control.on_wake = wake
    first, second = sleeper.wire(), sleeper.wire()
    first.send(head("POST", "/v1/query", body=b"1"))
    wait_until(control.wakes)
    second.send(head("POST", "/v1/query", body=b"2", token=None))
    release.set()

    assert (first.read().status, second.read().status) == (200, 200)
