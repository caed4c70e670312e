"""Callers beyond a limit: paced on the documented routes, told so elsewhere, never 429 there."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hosting.wire import Rate
from tests.router.harness import ControlPlane, Router, digest, head, once_within
from tests.router.model import Model


@pytest.fixture
def router(shared_router: Router) -> Router:
    return shared_router


def limited(control: ControlPlane, model: Model, **changes: object) -> None:
    route = control.awake("echo", model.port, concurrency=0, **changes)
    control.known_to_router(route)


def test_a_little_beyond_the_limit_waits_for_its_turn(
    router: Router, control: ControlPlane, model: Model
):
    limited(control, model, rate=Rate(10, 1))

    asked = time.monotonic()
    with ThreadPoolExecutor(15) as pool:
        answers = list(pool.map(lambda _: router.query(), range(15)))

    assert [answer.status for answer in answers] == [200] * 15
    assert time.monotonic() - asked > 0.4


def test_far_beyond_it_the_documented_routes_say_503_after_a_moment(
    router: Router, control: ControlPlane, model: Model
):
    limited(control, model, rate=Rate(2, 60))
    router.query()
    router.query()

    asked = time.monotonic()
    answer = router.query()

    assert (answer.status, answer.code) == (503, "rate_limited")
    assert 25 <= int(answer.headers["retry-after"]) <= 30
    assert time.monotonic() - asked >= 0.998  # the loop's timers count whole milliseconds
    assert len(model.seen) == 2
    assert (router.event(3).outcome, router.events()[-1].counted) == ("refused", False)


def test_other_paths_say_429_at_once(router: Router, control: ControlPlane, model: Model):
    limited(control, model, rate=Rate(1, 60), protocol="openai")
    router.request("GET", "/v1/models")

    answer = router.request("GET", "/v1/models")

    assert (answer.status, answer.code) == (429, "rate_limited")
    assert answer.json["error"]["type"] == "rate_limit_error"
    assert 55 <= int(answer.headers["retry-after"]) <= 60

    def refused() -> float:
        asked = time.monotonic()
        assert router.request("GET", "/v1/models").status == 429
        return time.monotonic() - asked

    once_within(0.9, refused)


def test_a_tokens_limit_is_its_own(router: Router, control: ControlPlane, model: Model):
    tokens = {digest(): 11, digest("other"): 12}
    limited(control, model, token_digests=tokens, token_rates={digest(): Rate(1, 60)})
    router.query()

    assert router.query().code == "rate_limited"
    assert {router.query(token="other").status for _ in range(5)} == {200}


def test_asking_whether_it_is_awake_is_never_limited(
    router: Router, control: ControlPlane, model: Model
):
    limited(control, model, rate=Rate(1, 60))

    assert {router.request("GET", "/v1").status for _ in range(10)} == {200}


def test_what_is_beyond_the_limit_wakes_nobody(router: Router, control: ControlPlane, model: Model):
    limited(control, model, rate=Rate(1, 60))
    router.query()
    control.publish("echo", state="asleep", replicas=())
    control.known_to_router(control.publish("echo", state="draining"))
    control.publish("echo", state="asleep")

    assert router.query().code == "rate_limited"
    assert not control.wakes()


@pytest.mark.parametrize("rate", [Rate(1, 1), Rate(1, 60)])
def test_a_caller_who_hangs_up_while_held_is_let_go(
    router: Router, control: ControlPlane, model: Model, rate: Rate
):
    limited(control, model, rate=rate)
    router.query()
    router.wire().send(head("POST", "/v1/query", body=b"{}")).close()

    event = router.event(2)

    assert (event.outcome, event.counted) == ("client_abort", False)
    time.sleep(1.2)
    assert len(model.seen) == 1


def test_an_upload_that_is_held_arrives_whole(router: Router, control: ControlPlane, model: Model):
    limited(control, model, rate=Rate(2, 1))
    body = bytes(range(256)) * 8000
    router.query()
    router.query()

    assert router.query(body).status == 200
    assert model.seen[-1].body == body
