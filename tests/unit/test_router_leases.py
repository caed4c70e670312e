"""What a router process may spend of a lease while nobody answers it."""

import pytest

from hosting.router.leases import Lease
from hosting.wire import LeaseAnswer

GRANTED = 10


@pytest.fixture
def lease() -> Lease:
    """Granted at second 0, when it was asked for."""
    lease = Lease("team:1", 1, now=0.0)
    said = lease.state(now=0.0, last=False)
    lease.hear(LeaseAnswer("team:1", 1, said.sequence, GRANTED, "", ended=False))
    return lease


def test_a_silence_of_thirty_seconds_costs_nothing_and_one_without_end_does(lease: Lease):
    assert [lease.free(now=at) for at in (0.0, 36.0, 61.0)] == [GRANTED, GRANTED, 0]


def test_quiet_units_are_returned_to_who_answers(lease: Lease):
    assert lease.state(now=10.0, last=False).returned == GRANTED


def test_quiet_units_are_kept_while_nobody_answers(lease: Lease):
    lease.state(now=1.0, last=False)  # lost

    said = lease.state(now=10.0, last=False)

    assert (said.returned, lease.free(now=30.0)) == (0, GRANTED)


def test_the_end_of_the_process_returns_everything(lease: Lease):
    lease.state(now=1.0, last=False)  # lost

    assert lease.state(now=2.0, last=True).returned == GRANTED
