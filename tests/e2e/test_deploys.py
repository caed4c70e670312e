"""Deploys, canaries and rollbacks under load: every request is answered."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.stack import Hosted, Stack, eventually

NEWER = {"image": "catalogue:echo", "memory_mb": 300}


@pytest.fixture
def hosted(stack: Stack) -> Hosted:
    """An awake model."""
    hosted = stack.host("echo")
    hosted.query(text="wake up").raise_for_status()
    return hosted


@contextmanager
def asked(hosted: Hosted) -> Iterator[list[tuple[int, str]]]:
    """Three callers that don't stop: the status of each answer, and the revision that gave it."""
    answers: list[tuple[int, str]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answer = hosted.query(text="hello")
            answers.append((answer.status_code, answer.headers.get("x-dormouse-revision", "alone")))
            time.sleep(0.01)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        yield answers
    finally:
        stop.set()
        for asker in askers:
            asker.join()


def test_no_request_fails_while_revisions_change(hosted: Hosted) -> None:
    with asked(hosted) as answers:
        deployed = admin(hosted, "POST", "revisions/", NEWER)
        only_runs(hosted, deployed["number"])
        admin(hosted, "POST", "revisions/rollback/", {"number": 1})
        only_runs(hosted, 1)

    assert {status for status, _ in answers} == {200}
    assert hosted.state == "awake"


def test_no_request_fails_while_a_canary_is_tried_aborted_and_promoted(hosted: Hosted) -> None:
    with asked(hosted) as answers:
        admin(hosted, "POST", "revisions/", NEWER | {"canary_share": 20})
        eventually(lambda: any(revision == "2" for _, revision in answers), seconds=60)
        admin(hosted, "DELETE", "canary/")
        only_runs(hosted, 1)
        admin(hosted, "PUT", "canary/", {"number": 2, "share": 50})
        begun = len(answers)
        eventually(lambda: any(revision == "2" for _, revision in answers[begun:]), seconds=60)
        admin(hosted, "POST", "canary/promote/")
        only_runs(hosted, 2)

    assert {status for status, _ in answers} == {200}
    assert hosted.state == "awake"


@pytest.mark.parametrize("moment", ["it starts", "the old one ends"])
def test_no_request_fails_when_the_worker_is_killed_while(hosted: Hosted, moment: str) -> None:
    slowly = {**NEWER, "options": {"setup_seconds": 1}}
    with asked(hosted) as answers:
        admin(hosted, "POST", "revisions/", slowly)
        eventually(lambda: runs(hosted) == [2, 1], seconds=60)
        if moment == "the old one ends":
            eventually(lambda: revision(hosted, 2)["use"] == "current", seconds=60)
        os.kill(hosted.stack.pid("--queues lifecycle"), signal.SIGKILL)
        only_runs(hosted, 2)
        served = len(answers)
        eventually(lambda: len(answers) > served + 20)

    assert {status for status, _ in answers} == {200}
    assert revision(hosted, 2)["use"] == "current"
    assert hosted.state == "awake"


def test_no_request_fails_when_a_canary_dies(hosted: Hosted) -> None:
    admin(hosted, "POST", "revisions/", NEWER | {"canary_share": 50})
    eventually(lambda: runs(hosted) == [2, 1], seconds=60)
    with asked(hosted) as answers:
        eventually(lambda: any(revision == "2" for _, revision in answers))
        crash = hosted.call(
            "POST", "/v1/query", json={"crash": True}, headers={"X-Dormouse-Revision": "2"}
        )
        died = len(answers)
        eventually(lambda: any(revision == "2" for _, revision in answers[died:]), seconds=60)

    failed = [answer for answer in answers if answer[0] != 200]
    assert crash.status_code == 500
    assert len(failed) <= 1  # who was in it when it died; nothing is sent twice
    assert all(revision == "2" for _, revision in failed)


def test_a_pinned_address_wakes_exactly_its_revision(hosted: Hosted) -> None:
    admin(hosted, "POST", "revisions/", NEWER)
    only_runs(hosted, 2)
    pinned = Hosted(hosted.stack, subdomain=f"{hosted.subdomain}--r1", token=hosted.token)
    unknown = Hosted(hosted.stack, subdomain=f"{hosted.subdomain}--r9", token=hosted.token)

    answer, again = pinned.query(text="who?"), hosted.query(text="who?")

    assert (answer.status_code, answer.headers["x-dormouse-revision"]) == (200, "1")
    assert (again.status_code, again.headers["x-dormouse-revision"]) == (200, "2")
    assert answer.json()["pid"] != again.json()["pid"] or len(runs(hosted)) == 2
    assert unknown.query(text="who?").status_code == 404


def test_a_revision_that_fails_a_golden_request_is_rejected(hosted: Hosted) -> None:
    sample = {"name": "always breaks", "input": {"fail": True}}
    admin(hosted, "POST", "golden-requests/", sample)
    with asked(hosted) as answers:
        admin(hosted, "POST", "revisions/", NEWER)
        eventually(lambda: revision(hosted, 2)["use"] == "rejected", seconds=60)

    assert "“always breaks” failed" in revision(hosted, 2)["rejected_reason"]
    assert {status for status, _ in answers} == {200}
    assert revision(hosted, 1)["use"] == "current"


def test_a_canary_that_fails_its_requests_is_called_off_by_itself(hosted: Hosted) -> None:
    admin(hosted, "POST", "revisions/", NEWER | {"canary_share": 0})
    eventually(lambda: runs(hosted) == [2, 1], seconds=60)
    for _ in range(25):
        hosted.call("POST", "/v1/query", json={"fail": True}, headers={"X-Dormouse-Revision": "2"})
        hosted.query(text="hello").raise_for_status()

    eventually(lambda: revision(hosted, 2)["use"] == "rejected", seconds=30)

    assert "of its" in revision(hosted, 2)["rejected_reason"]
    only_runs(hosted, 1)


def admin(hosted: Hosted, method: str, path: str, body: Any = None) -> Any:
    """Ask something of the model's owner's API."""
    address = f"models/{hosted.subdomain}/{path}"
    answer = hosted.stack.admin.request(method, address, json=body).raise_for_status()
    return answer.json() if answer.content else None


def revision(hosted: Hosted, number: int) -> dict[str, Any]:
    """One of the model's revisions, as the API shows it."""
    found = admin(hosted, "GET", "revisions/")["results"]
    return next(each for each in found if each["number"] == number)


def only_runs(hosted: Hosted, number: int) -> None:
    """Wait until the model has replicas of one revision only."""
    eventually(lambda: runs(hosted) == [number], seconds=60)


def runs(hosted: Hosted) -> list[int]:
    """The revisions of the replicas that are there, the newest replica first."""
    found = admin(hosted, "GET", "replicas/")["results"]
    return [each["revision"] for each in found if each["status"] != "gone"]
