"""Several revisions of one model: each request reaches the right one, and none fails meanwhile."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from hosting.wire import ReplicaAddress, Report, Route, Target
from tests.router import model as models
from tests.router.harness import ControlPlane, Router, wait_until
from tests.router.model import Model, Seen

PINNED = "echo--r2.models.test"


@pytest.fixture
def router(shared_router: Router) -> Router:
    return shared_router


@pytest.fixture
def newer():
    """The model of revision 2."""
    server = Model()
    yield server
    with suppress(OSError):  # a test may have closed it
        server.close()


def target(*ports: int, **said: Any) -> Target:
    replicas = tuple(
        ReplicaAddress(number, "127.0.0.1", port) for number, port in enumerate(ports, 20)
    )
    known: dict[str, Any] = {
        "revision_id": 4, "revision": 2, "state": "awake", "query_path": "/newer",
        "info_path": "/newer", **said,
    }  # fmt: skip
    return Target(replicas=replicas, **known)


@pytest.fixture
def canary(router: Router, control: ControlPlane, model: Model, newer: Model) -> Router:
    """A router that sends a quarter of the queries to revision 2."""
    publish(control, model, target(newer.port, share=25))
    return router


def send(control: ControlPlane, model: Model, *beside: Target, **said: Any) -> Route:
    """The model awake with revision 1, and these beside it."""
    said = {"revision": 1, "last_revision": 3, "concurrency": 0, **said}
    return control.awake("echo", model.port, beside=beside, **said)


def publish(control: ControlPlane, model: Model, *beside: Target, **said: Any) -> Route:
    """Send a route and wait until the router has it."""
    route = send(control, model, *beside, **said)
    control.known_to_router(route)
    return route


# --- faults first


def test_a_dead_canary_fails_nobody(canary: Router, newer: Model, control: ControlPlane):
    newer.close()

    answers = [canary.query() for _ in range(20)]

    assert {answer.status for answer in answers} == {200}
    wait_until(
        lambda: (
            ("workers.reconcile", {"model_id": control.routes["echo"].model_id}) in control.nudges
        )
    )


def test_a_canary_without_room_makes_nobody_wait(
    router: Router, control: ControlPlane, model: Model, newer: Model
):
    others_answered = threading.Event()

    def busy(seen: Seen, connection: socket.socket) -> None:
        others_answered.wait(10)
        models.echo(seen, connection)

    newer.handler = busy
    publish(control, model, target(newer.port, share=100, concurrency=1))

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(router.query)
        wait_until(lambda: newer.seen)
        others = list(pool.map(lambda _: router.query(), range(3)))
        others_answered.set()

    assert first.result().status == 200
    assert {answer.headers["x-dormouse-revision"] for answer in others} == {"1"}


def test_a_canary_that_has_no_replica_yet_makes_nobody_wait(
    router: Router, control: ControlPlane, model: Model
):
    publish(control, model, target(share=100, state="awakening"))

    assert router.query().headers["x-dormouse-revision"] == "1"


def test_no_request_fails_while_a_canary_comes_and_goes_and_is_promoted(
    router: Router, control: ControlPlane, model: Model, newer: Model
):
    publish(control, model)
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            statuses.append(router.query().status)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for _ in range(5):
        publish(control, model, target(newer.port, share=50))
        time.sleep(0.05)
        publish(control, model)
        publish(control, model, target(newer.port, share=100))
        promoted = publish(control, newer, revision=2, revision_id=4, query_path="/newer")
        time.sleep(0.05)
        publish(control, model, revision=1, revision_id=3, query_path="/run")
    stop.set()
    for asker in askers:
        asker.join()

    assert set(statuses) == {200}
    assert promoted.revision == 2
    assert {seen.path for seen in newer.seen} == {"/newer"}
    assert {seen.path for seen in model.seen} == {"/run"}


def test_a_pinned_revision_that_is_unknown_is_404(canary: Router):
    hosts = ["echo--r4", "echo--r0", "echo--r02", "echo--r", "echo--r2x", "nobody--r1"]

    answers = [canary.query(host=f"{name}.models.test") for name in hosts]

    assert [answer.status for answer in answers] == [404] * len(hosts)


def test_a_pinned_address_takes_the_models_own_tokens_only(canary: Router, newer: Model):
    assert canary.query(host=PINNED, token="wrong").status == 401
    assert newer.seen == []


def test_a_pinned_revision_that_does_not_start_says_why(
    router: Router, control: ControlPlane, model: Model
):
    publish(control, model, target(state="failed", failure_reason="No room.", retry_at=9e9))

    answer = router.query(host=PINNED)

    assert answer.status == 503
    assert "No room." in answer.json["error"]["message"]


# --- a share of the queries


def test_exactly_its_share_of_the_queries_goes_to_a_canary(
    canary: Router, model: Model, newer: Model
):
    answers = [canary.query() for _ in range(40)]

    assert {answer.status for answer in answers} == {200}
    assert (len(model.seen), len(newer.seen)) == (30, 10)


def test_each_request_is_counted_to_the_revision_that_answered_it(canary: Router):
    answers = {
        answer.headers["x-request-id"]: answer.headers["x-dormouse-revision"]
        for answer in (canary.query() for _ in range(8))
    }

    wait_until(lambda: len(canary.events()) == 8)
    counted = {event.id: event.revision_id for event in canary.events()}
    assert counted == {id_: {"1": 3, "2": 4}[number] for id_, number in answers.items()}


def test_a_request_that_outlives_a_deploy_is_counted_to_the_revision_that_answered_it(
    router: Router, control: ControlPlane, model: Model, newer: Model
):
    model.handler = models.after(0.5)
    publish(control, model)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(router.query)
        wait_until(lambda: model.seen)
        publish(control, newer, revision=2, revision_id=4)

        assert answer.result().status == 200
    assert router.event().revision_id == 3


def test_a_model_with_one_revision_says_nothing_of_revisions(
    router: Router, control: ControlPlane, model: Model
):
    publish(control, model)

    assert "x-dormouse-revision" not in router.query().headers


# --- by header


@pytest.mark.parametrize(("named", "answers"), [("2", "2"), ("1", "1"), ("3", "1"), ("x", "1")])
def test_a_header_chooses_between_the_current_revision_and_the_canary(
    canary: Router, newer: Model, named: str, answers: str
):
    found = [canary.query(headers=(f"X-Dormouse-Revision: {named}",)) for _ in range(5)]

    assert {answer.headers["x-dormouse-revision"] for answer in found} == {answers}


def test_the_header_does_not_reach_the_model(canary: Router, newer: Model):
    canary.query(headers=("X-Dormouse-Revision: 2",))

    assert "x-dormouse-revision" not in newer.seen[0].headers


def test_info_is_asked_of_the_revision_that_is_named(canary: Router, newer: Model):
    canary.request("GET", "/v1/info", headers=("X-Dormouse-Revision: 2",))

    assert [seen.path for seen in newer.seen] == ["/newer"]


# --- pinned addresses


def test_a_pinned_address_reaches_its_revision_and_no_other(
    canary: Router, model: Model, newer: Model
):
    answers = [canary.query(host=PINNED) for _ in range(5)]

    assert {answer.status for answer in answers} == {200}
    assert (len(model.seen), len(newer.seen)) == (0, 5)
    assert {event.revision_id for event in canary.events()} == {4}


def test_the_pinned_address_of_the_current_revision_is_the_models_own(
    canary: Router, model: Model, newer: Model
):
    for _ in range(4):
        canary.query(host="echo--r1.models.test", headers=("X-Dormouse-Revision: 1",))

    assert (len(model.seen), len(newer.seen)) == (4, 0)


def test_a_pinned_revision_without_a_replica_is_woken_and_the_request_held(
    router: Router, control: ControlPlane, model: Model, newer: Model
):
    publish(control, model)
    control.on_wake = lambda _: send(control, model, target(newer.port))

    answer = router.query(host=PINNED)

    assert answer.status == 200
    assert [wake["revision"] for wake in control.wakes()] == [2]
    assert router.event().revision_id == 4


def test_requests_held_for_a_revision_go_in_when_it_becomes_the_current_one(
    router: Router, control: ControlPlane, model: Model, newer: Model
):
    publish(control, model)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(router.query, host=PINNED)
        wait_until(control.wakes)
        publish(control, newer, revision=2, revision_id=4, query_path="/newer")

        assert answer.result().status == 200
    assert newer.seen[0].path == "/newer"


# --- what is reported


def test_a_model_is_let_go_of_only_when_all_its_revisions_are(
    canary: Router, control: ControlPlane, model: Model, newer: Model
):
    newer.handler = models.after(0.6)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(canary.query, host=PINNED)
        wait_until(lambda: newer.seen)
        draining = control.publish("echo", state="draining", replicas=(), beside=())
        control.known_to_router(draining)
        busy = report(control)

        assert answer.result().status == 200
    assert (busy.released, busy.in_flight, busy.replicas_in_use) == (False, 1, (20,))
    wait_until(lambda: report(control).released)


def test_a_report_says_how_long_each_revision_has_been_quiet(canary: Router, control: ControlPlane):
    canary.query(host=PINNED)

    wait_until(lambda: report(control).beside.get(2, 0) > 0.3)


def report(control: ControlPlane) -> Report:
    found = control.report(control.routes["echo"].model_id)
    assert found is not None
    return found
