"""Quota leases: nobody spends what somebody else holds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections

from hosting.billing import quotas
from hosting.billing.models import QuotaCap, QuotaLease
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db
KEY = "team:1:2026-06"


@pytest.fixture
def cap(db: None) -> QuotaCap:
    return quotas.set_cap(KEY, cap=1_000)


def take(holder: str = "a") -> QuotaLease | None:
    return quotas.take(KEY, holder=holder, holders=2, now=NOON)


def used() -> int:
    return QuotaCap.objects.get().used


def test_a_lease_is_a_share_of_what_is_left(cap):
    assert [take().units for _ in range(3)] == [62, 58, 55]
    assert used() == 175


def test_the_last_units_are_handed_out_one_by_one_and_then_none(cap):
    quotas.set_cap(KEY, cap=2)

    assert [lease and lease.units for lease in (take(), take(), take())] == [1, 1, None]


def test_what_was_not_spent_is_free_again_once(cap):
    lease = take()

    assert quotas.give_back(lease, spent=60, now=NOON)
    assert not quotas.give_back(lease, spent=0, now=NOON)
    assert used() == 60


def test_a_dead_holder_s_units_stay_in_use_until_the_ledger_knows(cap):
    take()
    late = NOON + timedelta(seconds=60)

    assert quotas.expire(now=late, spent_by=lambda lease: None) == 0
    assert used() == 62
    assert quotas.expire(now=late, spent_by=lambda lease: 12) == 1
    assert used() == 12


def test_a_lease_that_ended_can_not_be_renewed(cap):
    lease = take()

    assert quotas.renew(lease, now=NOON + timedelta(seconds=29))
    assert not quotas.renew(lease, now=NOON + timedelta(seconds=60))


def test_a_cap_is_never_below_what_is_in_use(cap):
    take()

    assert quotas.set_cap(KEY, cap=10).cap == 62


def units_of(holder: str) -> Iterator[int]:
    """What one router does: spend its lease, then ask for another."""
    while lease := quotas.take(KEY, holder=holder, holders=2, now=NOON):
        yield from range(lease.units)


@pytest.mark.django_db(transaction=True)
def test_five_thousand_requests_on_two_routers_get_exactly_the_thousand_of_the_cap():
    quotas.set_cap(KEY, cap=1_000)

    def serve(holder: str) -> int:
        try:
            units = units_of(holder)
            return sum(next(units, None) is not None for _ in range(2_500))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as routers:
        served = list(routers.map(serve, ["a", "b"]))

    assert sum(served) == 1_000
    assert used() == 1_000
