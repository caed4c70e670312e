"""A deploy and a rollback under load: every request is answered."""

import threading
import time

from tests.e2e.stack import Stack, eventually


def test_no_request_fails_while_revisions_change(stack: Stack) -> None:
    hosted = stack.host("echo")
    hosted.query(text="wake up").raise_for_status()
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            statuses.append(hosted.query(text="hello").status_code)
            time.sleep(0.01)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        for path, body in (
            ("revisions/", {"image": "catalogue:echo", "memory_mb": 300}),
            ("revisions/rollback/", {"number": 1}),
        ):
            answer = stack.admin.post(f"models/{hosted.subdomain}/{path}", json=body)
            answer.raise_for_status()
            only_runs(stack, hosted.subdomain, number=answer.json()["number"])
    finally:
        stop.set()
        for asker in askers:
            asker.join()

    assert set(statuses) == {200}
    assert hosted.state == "awake"


def only_runs(stack: Stack, subdomain: str, *, number: int) -> None:
    """Wait until the model has replicas of one revision only."""
    eventually(lambda: runs(stack, subdomain) == [number], seconds=60)


def runs(stack: Stack, subdomain: str) -> list[int]:
    """The revisions of the replicas that are there."""
    answer = stack.admin.get(f"models/{subdomain}/replicas/").raise_for_status()
    return [each["revision"] for each in answer.json()["results"] if each["status"] != "gone"]
