"""Requests that meet a sleeping model: held, never refused because of it, never lost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.router import model as models
from tests.router.harness import ControlPlane, Router, head, wait_until
from tests.router.model import Model


@pytest.fixture
def router(shared_router: Router) -> Router:
    return shared_router


def test_a_request_to_a_sleeping_model_is_held_and_answered(sleeper: Router):
    answer = sleeper.query()

    assert answer.status == 200
    assert answer.headers["x-dormouse-state"] == "asleep"
    assert float(answer.headers["server-timing"].split("dur=")[1].split(",")[0]) >= 100


def test_fifty_callers_wake_it_once_and_all_get_200(sleeper: Router, control: ControlPlane):
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: sleeper.query(), range(50)))

    assert [answer.status for answer in answers] == [200] * 50
    assert len(control.wakes()) == 1


def test_a_wake_says_who_asked_and_by_which_route(sleeper: Router, control: ControlPlane):
    sleeper.query()

    wake = control.wakes()[0]
    assert wake["model_id"] == control.routes["echo"].model_id
    assert (wake["token_id"], wake["route"]) == (11, "query")
    assert (wake["method"], wake["address"]) == ("POST", "127.0.0.1")
    assert time.time() - 5 < wake["asked_at"] < time.time()


def test_a_status_that_wakes_says_whose_it_was(sleeper: Router, control: ControlPlane):
    sleeper.request("GET", "/v1")

    wake = wait_until(control.wakes)[0]
    assert (wake["token_id"], wake["route"], wake["method"]) == (11, "status", "GET")


def test_the_status_answers_at_once_and_wakes(sleeper: Router, control: ControlPlane, model: Model):
    answered = threading.Event()

    def wake(kwargs: dict[str, Any]) -> None:
        answered.wait(5)
        control.awake("echo", model.port)

    control.on_wake = wake

    answer = sleeper.request("GET", "/v1/")
    answered.set()

    assert answer.json["status"] == "starting"
    wait_until(lambda: sleeper.request("GET", "/v1").json["status"] == "running")
    assert len(control.wakes()) == 1


def test_status_polls_are_no_activity(sleeper: Router, control: ControlPlane):
    sleeper.query()
    before = wait_until(lambda: control.report(control.routes["echo"].model_id))

    def idle_for_longer() -> bool:
        sleeper.request("GET", "/v1")
        after = control.report(control.routes["echo"].model_id)
        return after is not None and after.idle_seconds > before.idle_seconds + 0.4

    wait_until(idle_for_longer)


def test_a_held_upload_reaches_the_model_whole(sleeper: Router, model: Model):
    body = bytes(range(256)) * 40_000
    model.handler = models.answer()

    assert sleeper.query(body).status == 200
    assert model.seen[0].body == body


def test_expect_100_is_answered_after_the_token_and_the_body_awaited(sleeper: Router):
    wire = sleeper.wire()
    wire.send(head("POST", "/v1/query", headers=("Expect: 100-continue", "Content-Length: 2")))

    assert wire.read().status == 100
    assert wire.send(b"{}").read().status == 200


def test_expect_100_with_a_bad_token_gets_401_and_nothing_before(sleeper: Router):
    wire = sleeper.wire()

    wire.send(
        head("POST", "/v1/query", token="no", headers=("Expect: 100-continue", "Content-Length: 9"))
    )

    assert wire.read().status == 401


def test_a_caller_who_hangs_up_harms_nobody(sleeper: Router, control: ControlPlane, model: Model):
    release = threading.Event()

    def wake(kwargs: dict[str, Any]) -> None:
        release.wait(5)
        control.awake("echo", model.port)

    control.on_wake = wake
    gone, stays = sleeper.wire(), sleeper.wire()
    gone.send(head("POST", "/v1/query", body=b'"gone"'))
    stays.send(head("POST", "/v1/query", body=b'"stays"'))
    wait_until(control.wakes)

    gone.close()
    event = sleeper.event()
    release.set()

    assert stays.read().json["body"] == '"stays"'
    assert [seen.body for seen in model.seen] == [b'"stays"']
    assert (event.outcome, event.counted, event.cold) == ("client_abort", False, True)


def test_the_verbose_status_says_how_long_a_wake_usually_takes(
    router: Router, control: ControlPlane
):
    since = time.time() - 3
    control.publish("echo", wake_seconds=8.0)
    control.publish("other", state="awakening", since=since, wake_seconds=8.0)
    router.knows("other")

    asleep = router.request("GET", "/v1?verbose=1").json
    awakening = router.request("GET", "/v1?verbose=1", host="other.models.test").json

    assert asleep["eta_seconds"] == 8.0
    assert 7.9 - (time.time() - since) < awakening["eta_seconds"] < 5.1
    assert router.request("GET", "/v1").json.keys() == {
        "status", "queryRoute", "dataRoute", "errorRoute",
    }  # fmt: skip


def test_a_wake_of_unknown_length_has_no_eta(sleeper: Router):
    assert sleeper.request("GET", "/v1?verbose=1").json["eta_seconds"] is None
