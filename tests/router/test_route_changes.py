"""What a router hears of while it serves, and what it does when it hears nothing."""

import threading
import time

import pytest

from tests.router import model as models
from tests.router.conftest import OwnRedis
from tests.router.harness import (
    ControlPlane,
    Router,
    digest,
    head,
    once_within,
    running_router,
    wait_until,
)
from tests.router.model import Model


def test_a_request_while_draining_brings_the_replica_back(
    router: Router, control: ControlPlane, model: Model
):
    control.on_wake = lambda kwargs: control.awake("echo", model.port)
    control.awake("echo", model.port)
    control.known_to_router(control.publish("echo", state="draining", replicas=()))

    assert router.query().status == 200


def test_a_drained_model_is_reported_released_when_its_last_answer_is_out(
    router: Router, control: ControlPlane, model: Model
):
    model.handler = models.after(1.5)
    control.known_to_router(control.awake("echo", model.port))
    wire = router.wire().send(head("POST", "/v1/query", body=b"{}"))
    wait_until(lambda: model.connections)

    drained = control.publish("echo", state="draining", replicas=())
    control.known_to_router(drained)
    busy = control.report(drained.model_id)
    answer = wire.read()

    assert busy is not None
    assert not busy.released
    assert answer.status == 200
    wait_until(
        lambda: (report := control.report(drained.model_id)) and report.released, seconds=0.3
    )


def test_an_empty_redis_is_no_reason_for_404(tmp_path, control: ControlPlane, own_redis: OwnRedis):
    control.redis.flushall()

    with running_router(tmp_path, "--redis", own_redis.url) as router:
        answer = router.query()

    assert (answer.status, answer.code) == (503, "control_plane_unavailable")


@pytest.mark.once
def test_while_redis_is_away_nobody_is_told_that_a_new_model_does_not_exist(
    awake: Router, control: ControlPlane, own_redis: OwnRedis
):
    control.publish("old", info_path=None, info="{}")
    awake.knows("old")
    control.publish("old", removed=True)
    wait_until(lambda: awake.request("GET", "/v1", host="old.models.test").status == 404)

    with own_redis.away():
        wait_until(lambda: awake.request("GET", "/v1", host="new.models.test").status == 503)
        assert awake.request("GET", "/v1", host="old.models.test").status == 404

    control.publish("new", info_path=None, info="{}")
    wait_until(lambda: awake.request("GET", "/v1/info", host="new.models.test").status == 200)
    wait_until(lambda: awake.request("GET", "/v1", host="none.models.test").status == 404)


def test_a_deleted_model_is_404_for_those_who_wait_too(router: Router, control: ControlPlane):
    control.publish("echo", state="awakening")
    router.knows()
    wire = router.wire().send(head("POST", "/v1/query", body=b"{}"))
    time.sleep(0.2)

    control.publish("echo", removed=True)

    assert wire.read().status == 404
    assert router.query().status == 404


def test_a_revoked_token_opens_nothing_any_more(awake: Router, control: ControlPlane):
    def revoke() -> float:
        control.publish("echo", token_digests={digest(): 11})
        wait_until(lambda: awake.query().status == 200)
        control.publish("echo", token_digests={})
        revoked_at = time.monotonic()
        wait_until(lambda: awake.query().status == 401)
        return time.monotonic() - revoked_at

    once_within(0.25, revoke)


def test_what_a_deleted_model_has_yet_to_answer_is_reported_until_it_has(
    router: Router, control: ControlPlane, model: Model
):
    finish = threading.Event()
    model.handler = models.once(finish)
    route = control.awake("echo", model.port)
    control.known_to_router(route)
    wire = router.wire().send(head("POST", "/v1/query", body=b"{}"))
    wait_until(lambda: model.connections)

    control.publish("echo", removed=True)
    router.forgot("echo")
    control.redis.flushall()
    busy = wait_until(lambda: control.report(route.model_id))
    finish.set()

    assert (busy.in_flight, busy.released) == (1, False)
    assert wire.read().status == 200
    wait_until(lambda: control.report(route.model_id) is None)


@pytest.mark.once
def test_awake_models_are_served_while_redis_is_away(
    awake: Router, control: ControlPlane, own_redis: OwnRedis, model: Model
):
    own_redis.stop()
    statuses = set()
    try:
        end = time.monotonic() + 30  # beyond the heartbeat's lease and every timeout
        while time.monotonic() < end:
            statuses.add(awake.query().status)
            time.sleep(0.05)
    finally:
        own_redis.start()

    assert statuses == {200}
    wait_until(lambda: control.redis.ping())
    control.publish("news", info_path=None, info="{}")
    wait_until(lambda: awake.request("GET", "/v1/info", host="news.models.test").status == 200)
