"""The line the router writes by hand is the line of the event, however the request ends."""

import itertools

import pytest

from hosting.router.usage import begin_line, spool_line
from hosting.wire import Outcome, UsageEvent

ID = "0197a3c4-1a2b-7abc-8def-0123456789ab"
OUTCOMES = [value for name, value in vars(Outcome).items() if name.isupper()]


@pytest.mark.parametrize(
    ("counts", "counted", "outcome", "status"),
    list(itertools.product((True, False), (True, False), OUTCOMES, (0, 200, 201, 503))),
)
def test_a_line_is_that_of_its_event(counts: bool, counted: bool, outcome: str, status: int):
    begun = begin_line(
        request_id=ID.encode(),
        owners=b"3\t1\t9",
        token_id=11,
        route=b"query",
        method=b"POST",
        counts=counts,
        cold=counts,
        arrived_at=1781524800.5,
        held_ms=4,
    )
    line = spool_line(
        begun, status=status, outcome=outcome, counted=counted, model_ms=12, bytes_in=2, bytes_out=3
    )

    event = UsageEvent(
        id=ID,
        model_id=3,
        team_id=1,
        revision_id=9,
        token_id=11,
        route="query",
        method="POST",
        status=status,
        outcome=outcome,
        counted=counted,
        cold=counts,
        arrived_at=1781524800.5,
        held_ms=4,
        model_ms=12,
        bytes_in=2,
        bytes_out=3,
    )
    assert line == event.to_line()
    assert UsageEvent.from_line(line) == event
