"""What a unit is, rule by rule: the model answered a POST to /v1/query. Nothing else ever is."""

import time

import pytest

from tests.router import model as models
from tests.router.harness import ControlPlane, Router, head, wait_until
from tests.router.model import Model


@pytest.fixture
def router(shared_router: Router) -> Router:
    return shared_router


def counted(router: Router) -> list[bool]:
    return [event.counted for event in router.events()]


@pytest.mark.parametrize("status", [200, 204, 400, 401, 402, 404, 422, 429, 500, 502, 503, 504])
def test_whatever_status_the_model_answers_is_one_unit(awake: Router, model: Model, status: int):
    model.handler = models.answer(status, b"{}" if status != 204 else b"")

    awake.query()

    awake.event()
    assert counted(awake) == [True]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1", 200),
        ("GET", "/v1/info", 200),
        ("HEAD", "/v1", 200),
        ("HEAD", "/v1/info", 200),
        ("OPTIONS", "/v1/query", 204),
        ("GET", "/v1/query", 405),
        ("POST", "/v1/info", 405),
        ("POST", "/v1/other", 404),
        ("GET", "/", 404),
    ],
)
def test_looking_asking_first_and_wrong_addresses_cost_nothing(
    awake: Router, method: str, path: str, status: int
):
    assert awake.request(method, path).status == status

    time.sleep(0.05)
    assert not any(counted(awake))


def test_wrong_tokens_unknown_models_and_too_much_cost_nothing(
    awake: Router, control: ControlPlane, model: Model
):
    route = control.awake("echo", model.port, max_body_bytes=10)
    control.known_to_router(route)

    assert awake.query(token="wrong").status == 401
    assert awake.query(host="nobody.models.test").status == 404
    assert awake.query(body=b"x" * 11).status == 413
    assert not any(counted(awake))


def test_what_nobody_paid_for_costs_nothing(awake: Router, control: ControlPlane, model: Model):
    control.known_to_router(control.awake("echo", model.port, payment_required=True))

    assert awake.query().status == 402
    assert not any(counted(awake))


def test_a_model_that_dies_instead_of_answering_costs_nothing(awake: Router, model: Model):
    model.handler = lambda seen, connection: False

    assert awake.query().status == 500
    event = awake.event()
    assert (event.outcome, event.counted) == ("model_error", False)


def test_an_answer_that_is_cut_off_is_a_unit(awake: Router, model: Model):
    """It began: else whoever cuts every answer one byte early would pay nothing."""

    def half(seen, connection):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 10\r\n\r\nhalf"
        )
        return False

    model.handler = half
    with pytest.raises(ConnectionError):
        awake.query()

    event = awake.event()
    assert (event.outcome, event.counted) == ("model_error", True)


def test_a_failed_wake_and_a_deadline_cost_nothing(
    router: Router, control: ControlPlane, model: Model
):
    control.publish("echo", state="failed", failure_reason="no", retry_at=time.time() + 60)
    router.knows()
    assert router.query().status == 503
    model.handler = models.after(5)
    route = control.awake("echo", model.port, request_timeout_seconds=0.3)
    control.known_to_router(route)
    assert router.query().status == 504
    wait_until(lambda: len(router.events()) >= 2)
    assert counted(router) == [False, False]


def test_a_request_that_is_sent_again_by_the_router_is_one_unit(
    awake: Router, control: ControlPlane, model: Model
):
    """A kept-alive connection that the model had closed: nothing was delivered by it."""
    wire = awake.wire()
    for _ in range(2):
        assert wire.send(head("POST", "/v1/query", body=b"{}")).read().status == 200
    wait_until(lambda: len(awake.events()) >= 2)

    assert len({event.id for event in awake.events()}) == len(model.seen) == 2
    assert counted(awake) == [True, True]
