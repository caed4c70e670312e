"""Requests that meet a sleeping model: held, never refused because of it, never lost."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.router import model as models
from tests.router.conftest import OwnRedis
from tests.router.harness import ControlPlane, Router, head, running_router, wait_until
from tests.router.model import Model


@pytest.fixture
def sleeper(router: Router, control: ControlPlane, model: Model) -> Router:
    """A router that knows one sleeping model, `echo`, whose wake takes a moment."""
    return sleeping(router, control, model)


def sleeping(router: Router, control: ControlPlane, model: Model, **rules: Any) -> Router:
    """The same, with rules on who may wake it."""

    def wake(kwargs: dict[str, Any]) -> None:
        control.publish("echo", state="awakening")
        time.sleep(0.1)
        control.awake("echo", model.port)

    control.on_wake = wake
    control.publish("echo", **rules)
    router.knows()
    return router


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
    assert (wake["model_id"], wake["token_id"], wake["route"]) == (1, 11, "query")
    assert (wake["method"], wake["address"]) == ("POST", "127.0.0.1")
    assert time.time() - 5 < wake["asked_at"] < time.time()


def test_a_status_that_wakes_says_whose_it_was(sleeper: Router, control: ControlPlane):
    sleeper.request("GET", "/v1")

    wake = wait_until(control.wakes)[0]
    assert (wake["token_id"], wake["route"], wake["method"]) == (11, "status", "GET")


def test_the_status_answers_at_once_and_wakes(sleeper: Router, control: ControlPlane):
    asked = time.monotonic()

    answer = sleeper.request("GET", "/v1/")

    assert answer.json["status"] == "starting"
    assert time.monotonic() - asked < 0.5
    wait_until(lambda: sleeper.request("GET", "/v1").json["status"] == "running")
    assert len(control.wakes()) == 1


def test_status_polls_are_no_activity(sleeper: Router, control: ControlPlane):
    sleeper.query()
    before = wait_until(lambda: control.report(1))

    for _ in range(20):
        sleeper.request("GET", "/v1")
        time.sleep(0.05)

    after = control.report(1)
    assert after is not None
    assert after.idle_seconds > before.idle_seconds + 0.4


def test_a_held_upload_reaches_the_model_whole(sleeper: Router, model: Model):
    body = bytes(range(256)) * 40_000

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


def test_a_failed_wake_says_why_and_when_to_come_back(router: Router, control: ControlPlane):
    control.on_wake = lambda kwargs: (
        control.publish("echo", state="awakening"),
        control.publish(
            "echo", state="failed", failure_reason="exit code 3", retry_at=time.time() + 30
        ),
    )
    control.publish("echo")
    router.knows()

    first = router.query()
    at_once = router.query()

    assert (first.status, first.code) == (503, "wake_failed")
    assert "exit code 3" in at_once.json["error"]["message"]
    assert 25 <= int(at_once.headers["retry-after"]) <= 30
    assert len(control.wakes()) == 1


def test_a_failed_model_is_tried_again_once_its_time_has_come(
    router: Router, control: ControlPlane, model: Model
):
    control.on_wake = lambda kwargs: control.awake("echo", model.port)
    control.publish("echo", state="failed", failure_reason="x", retry_at=time.time() - 1)
    router.knows()

    assert router.query().status == 200


def test_a_request_while_draining_brings_the_replica_back(
    router: Router, control: ControlPlane, model: Model
):
    control.on_wake = lambda kwargs: control.awake("echo", model.port)
    control.awake("echo", model.port)
    control.known_to_router(control.publish("echo", state="draining", replicas=()))

    assert router.query().status == 200


def test_a_lost_wake_is_asked_for_again(router: Router, control: ControlPlane, model: Model):
    def wake(kwargs: dict[str, Any]) -> None:
        if len(control.wakes()) == 2:
            control.awake("echo", model.port)

    control.on_wake = wake
    control.publish("echo")
    router.knows()

    assert router.query().status == 200
    assert len(control.wakes()) == 2


def test_without_a_control_plane_the_wait_ends_in_503(router: Router, control: ControlPlane):
    control.publish("echo")
    router.knows()
    asked = time.monotonic()

    answer = router.query()

    assert (answer.status, answer.code) == (503, "control_plane_unavailable")
    assert 9 < time.monotonic() - asked < 12


def test_the_deadline_covers_the_wait(router: Router, control: ControlPlane):
    control.publish("echo", state="awakening", request_timeout_seconds=0.5)
    router.knows()

    answer = router.query()

    assert (answer.status, answer.code) == (504, "wake_timed_out")
    event = router.event()
    assert (event.outcome, event.counted, event.status) == ("timeout", False, 504)


def test_whoever_waits_for_room_until_the_deadline_is_told_so(
    router: Router, control: ControlPlane
):
    control.publish("echo", request_timeout_seconds=0.5)
    control.on_wake = lambda _: control.publish(
        "echo", state="awakening", wait_reason="No machine has 512 MiB of memory free."
    )
    router.knows()

    answer = router.query()

    assert (answer.status, answer.code) == (503, "no_room")
    assert "512 MiB of memory" in answer.body.decode()
    assert int(answer.headers["retry-after"]) > 0


def test_a_status_tells_what_a_wake_waits_for_if_asked(router: Router, control: ControlPlane):
    control.publish("echo", state="awakening", wait_reason="No machine has room.")
    router.knows()

    assert router.request("GET", "/v1?verbose=1").json["reason"] == "No machine has room."
    assert "reason" not in router.request("GET", "/v1").json


def test_the_deadline_covers_the_work(router: Router, control: ControlPlane, model: Model):
    model.handler = models.after(5)
    control.known_to_router(control.awake("echo", model.port, request_timeout_seconds=0.5))

    assert router.query().code == "model_timed_out"
    assert model.hung_up.wait(2)
    assert router.event().counted is False


def test_the_hundred_and_first_who_waits_is_told_so(router: Router, control: ControlPlane):
    control.publish("echo", state="awakening")
    router.knows()
    wires = [router.wire() for _ in range(101)]

    for wire in wires:
        wire.send(head("POST", "/v1/query", body=b"{}"))

    answers = [wire for wire in wires if _has_answer(wire.socket)]
    assert len(answers) == 1
    assert answers[0].read().code == "queue_full"


def _has_answer(sock: socket.socket) -> bool:
    sock.settimeout(0.02)
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False


def test_a_refused_connection_is_reported_and_the_request_held(
    router: Router, control: ControlPlane, model: Model
):
    dead = Model()
    dead.close()

    def reconcile(kwargs: dict[str, Any]) -> None:
        control.publish("echo", state="asleep", replicas=())

    control.on_reconcile = reconcile
    control.on_wake = lambda kwargs: control.awake("echo", model.port)
    control.known_to_router(control.awake("echo", dead.port))

    answer = router.query()

    assert answer.status == 200
    assert [task for task, _ in control.nudges] == ["workers.reconcile", "workers.wake"]


def test_a_replica_that_listens_late_is_tried_again(
    router: Router, control: ControlPlane, model: Model
):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        control.known_to_router(control.awake("echo", reserved.getsockname()[1]))
        wire = router.wire().send(head("POST", "/v1/query", body=b"{}"))
        time.sleep(0.3)
        reserved.listen()
        connection, _ = reserved.accept()

        connection.recv(4096)
        connection.sendall(
            b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        )

        assert wire.read().status == 200
        connection.close()
    assert not control.nudges


def test_one_at_a_time_first_come_first_served(router: Router, control: ControlPlane, model: Model):
    model.handler = models.after(0.05)
    control.known_to_router(control.awake("echo", model.port, concurrency=1))
    wires = [router.wire() for _ in range(8)]

    for number, wire in enumerate(wires):
        wire.send(head("POST", "/v1/query", body=b"%d" % number))
        time.sleep(0.005)
    answers = [wire.read() for wire in wires]

    assert [answer.json["body"] for answer in answers] == [str(number) for number in range(8)]
    assert [seen.body for seen in model.seen] == [b"%d" % number for number in range(8)]
    gaps = [b.at - a.at for a, b in zip(model.seen, model.seen[1:], strict=False)]
    assert min(gaps) >= 0.045


def test_the_least_loaded_replica_gets_the_next_request(router: Router, control: ControlPlane):
    pair = Model(models.after(0.5)), Model(models.after(0.5))
    control.known_to_router(control.awake("echo", *(m.port for m in pair), concurrency=0))
    wires = [router.wire().send(head("POST", "/v1/query", body=b"{}")) for _ in range(6)]

    for wire in wires:
        wire.read()

    assert [len(each.seen) for each in pair] == [3, 3]


def test_a_drained_model_is_reported_released_when_its_last_answer_is_out(
    router: Router, control: ControlPlane, model: Model
):
    model.handler = models.after(1.5)
    control.known_to_router(control.awake("echo", model.port))
    wire = router.wire().send(head("POST", "/v1/query", body=b"{}"))
    wait_until(lambda: model.connections)

    drained = control.publish("echo", state="draining", replicas=())
    control.known_to_router(drained)
    busy = control.report(1)
    answer = wire.read()

    assert busy is not None
    assert not busy.released
    assert answer.status == 200
    wait_until(lambda: (report := control.report(1)) and report.released, seconds=0.3)


def test_an_empty_redis_is_no_reason_for_404(tmp_path, control: ControlPlane, own_redis: OwnRedis):
    control.redis.flushall()

    with running_router(tmp_path, "--redis", own_redis.url) as router:
        answer = router.query()

    assert (answer.status, answer.code) == (503, "control_plane_unavailable")


def test_a_deleted_model_is_404_for_those_who_wait_too(router: Router, control: ControlPlane):
    control.publish("echo", state="awakening")
    router.knows()
    wire = router.wire().send(head("POST", "/v1/query", body=b"{}"))
    time.sleep(0.2)

    control.publish("echo", removed=True)

    assert wire.read().status == 404
    assert router.query().status == 404


def test_a_revoked_token_opens_nothing_any_more(awake: Router, control: ControlPlane):
    assert awake.query().status == 200

    control.publish("echo", token_digests={})
    revoked_at = time.monotonic()
    wait_until(lambda: awake.query().status == 401)

    assert time.monotonic() - revoked_at < 0.25


def test_awake_models_are_served_while_redis_is_away(
    awake: Router, control: ControlPlane, own_redis: OwnRedis, model: Model
):
    own_redis.stop()
    statuses = set()
    try:
        end = time.monotonic() + 13  # beyond the heartbeat's lease and every timeout
        while time.monotonic() < end:
            statuses.add(awake.query().status)
            time.sleep(0.05)
    finally:
        own_redis.start()

    assert statuses == {200}
    wait_until(lambda: control.redis.ping())
    control.publish("news", info_path=None, info="{}")
    wait_until(lambda: awake.request("GET", "/v1/info", host="news.models.test").status == 200)


def test_many_held_requests_cost_little_and_are_all_answered(
    tmp_path: Path, control: ControlPlane, model: Model
):
    count = 2000
    limits = ("--limit", f"held_per_model={count}", "--limit", f"held_per_process={count}")
    with running_router(tmp_path, "--redis", control.url, *limits) as router:
        control.publish("echo", state="awakening", concurrency=0)
        router.knows()
        before = _memory_kib(router)
        wires = [router.wire().send(head("POST", "/v1/query", body=b"{}")) for _ in range(count)]
        wait_until(lambda: control.report(1))
        time.sleep(1)
        each = (_memory_kib(router) - before) / count
        control.awake("echo", model.port, concurrency=8)

        statuses = {wire.read().status for wire in wires}

    assert statuses == {200}
    assert each < 20


def _memory_kib(router: Router) -> int:
    pid = Path(f"/proc/{router.process.pid}/task/{router.process.pid}/children").read_text().split()
    text = Path(f"/proc/{pid[0]}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


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


def test_the_verbose_status_says_how_long_a_wake_usually_takes(
    router: Router, control: ControlPlane
):
    control.publish("echo", wake_seconds=8.0)
    control.publish("other", state="awakening", since=time.time() - 3, wake_seconds=8.0)
    router.knows("other")

    asleep = router.request("GET", "/v1?verbose=1").json
    awakening = router.request("GET", "/v1?verbose=1", host="other.models.test").json

    assert asleep["eta_seconds"] == 8.0
    assert 4 < awakening["eta_seconds"] < 5.1
    assert router.request("GET", "/v1").json.keys() == {
        "status", "queryRoute", "dataRoute", "errorRoute",
    }  # fmt: skip


def test_a_wake_of_unknown_length_has_no_eta(sleeper: Router):
    assert sleeper.request("GET", "/v1?verbose=1").json["eta_seconds"] is None


def test_who_finds_the_queue_full_is_told_to_come_back_when_the_model_is_awake(
    tmp_path: Path, control: ControlPlane
):
    limits = ("--limit", "held_per_model=1")
    with running_router(tmp_path, "--redis", control.url, *limits) as router:
        control.publish("echo", state="awakening", since=time.time(), wake_seconds=40.0)
        router.knows()
        router.wire().send(head("POST", "/v1/query", body=b"1"))
        time.sleep(0.2)

        answer = router.query()

    assert answer.code == "queue_full"
    assert 35 < int(answer.headers["retry-after"]) <= 40
