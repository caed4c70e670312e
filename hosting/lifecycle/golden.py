"""Golden requests: put to a new revision between its first sign of life and its first caller.

They go to the replica itself, past the router: nobody is billed for them.
"""

import http.client
import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hosting import protocols, route_table
from hosting.models import GoldenRequest, Revision

MOST_BYTES = 16 * 1024 * 1024
LOOK_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said."""

    status: int
    body: bytes


class Ask(Protocol):
    """Puts one query to one address. OSError or http.client.HTTPException: no answer came."""

    def __call__(
        self, host: str, port: int, *, path: str, body: bytes, timeout_seconds: float
    ) -> Answer:
        """The answer, whatever its status; TimeoutError when it takes longer."""


def ask(host: str, port: int, *, path: str, body: bytes, timeout_seconds: float) -> Answer:
    """Ask over HTTP. The time limit holds for each step: callers keep an eye on the whole."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    try:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        connection.request("POST", path, body=body, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(MOST_BYTES))
    finally:
        connection.close()


def complaint(sample: GoldenRequest, answer: Answer) -> str:
    """What is wrong with an answer to this sample; nothing when it is as expected. Pure."""
    if answer.status != sample.expected_status:
        return f"it answered {answer.status} instead of {sample.expected_status}"
    if not sample.expected_keys and sample.expected_output is None:
        return ""
    try:
        said = json.loads(answer.body)
    except ValueError:
        return "its answer is not JSON"
    missing = [key for key in sample.expected_keys if not isinstance(said, dict) or key not in said]
    if missing:
        return f"its answer lacks “{missing[0]}”"
    if sample.expected_output is not None and said != sample.expected_output:
        return "its answer is not the expected one"
    return ""


def refusal(
    revision: Revision,
    address: tuple[str, int],
    *,
    ask: Ask,
    still_wanted: Callable[[], bool],
    within_seconds: float,
) -> str | None:
    """Why the revision may not take traffic, naming the sample; "" when it may.

    None when it is no longer wanted, which is looked into every second meanwhile.
    """
    path = protocols.get(revision.protocol).query_path(route_table.protocol_settings(revision))
    ends = time.monotonic() + within_seconds
    for sample in revision.model.golden_requests.all():
        seconds = min(float(sample.timeout_seconds), ends - time.monotonic())
        said = _wait_for(
            lambda sample=sample, seconds=seconds: _judged(  # type: ignore[misc]
                sample, address, ask=ask, path=path, seconds=seconds
            ),
            seconds=seconds,
            still_wanted=still_wanted,
        )
        if said is None:
            return None
        if said:
            return f"The golden request “{sample.name}” failed: {said}."
    return ""


def _judged(
    sample: GoldenRequest, address: tuple[str, int], *, ask: Ask, path: str, seconds: float
) -> str:
    body = json.dumps(sample.input).encode()
    try:
        answer = ask(*address, path=path, body=body, timeout_seconds=max(0.1, seconds))
    except TimeoutError:
        return _too_late(seconds)
    except (OSError, http.client.HTTPException) as error:
        return f"it hung up ({type(error).__name__})"
    return complaint(sample, answer)


def _wait_for(
    call: Callable[[], str], *, seconds: float, still_wanted: Callable[[], bool]
) -> str | None:
    """What the call says, in a thread of its own: one that hangs must not hold the lease up."""
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: said.put(call()), daemon=True).start()
    ends = time.monotonic() + seconds
    while True:
        left = ends - time.monotonic()
        try:
            return said.get(timeout=min(max(left, 0.01), LOOK_EVERY_SECONDS))
        except queue.Empty:
            if not still_wanted():
                return None
            if left <= 0:
                return _too_late(seconds)


def _too_late(seconds: float) -> str:
    return f"it did not answer within {seconds:.0f} s"
