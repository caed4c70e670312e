"""Credits: the balance is right whatever happens at the same time or twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.models import Sum

from accounts.models import Team
from hosting.billing import credits
from hosting.billing.models import (
    CreditBalance,
    CreditEntry,
    CreditLot,
    CreditPosting,
    EntryKind,
)
from hosting.errors import InvalidValue
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db
D = Decimal


def buy(team, amount="10.00", *, key="order-1", **fields):
    return credits.add(team, D(amount), kind=EntryKind.PURCHASE, key=key, now=NOON, **fields)


def agree() -> bool:
    """Balances, lots and postings say the same, and all postings add up to zero."""
    held = CreditBalance.objects.aggregate(sum=Sum("amount"))["sum"]
    lots = CreditLot.objects.aggregate(sum=Sum("remaining"))["sum"]
    ours = CreditPosting.objects.filter(account="team").aggregate(sum=Sum("amount"))["sum"]
    return held == lots == ours and not CreditPosting.objects.aggregate(s=Sum("amount"))["s"]


def test_a_purchase_that_is_told_twice_counts_once(team):
    assert (buy(team), buy(team)) == (True, False)
    assert credits.balance(team) == 10
    assert agree()


def test_usage_is_paid_from_what_there_is(team):
    buy(team)

    assert credits.spend(team, D("7.50"), key="a", now=NOON) == D("7.50")
    assert credits.spend(team, D("7.50"), key="a", now=NOON) == 0
    assert credits.spend(team, D("7.50"), key="b", now=NOON) == D("2.50")
    assert credits.spend(team, D("7.50"), key="c", now=NOON) == 0
    assert credits.balance(team) == 0
    assert agree()


def test_credits_that_end_first_are_spent_first(team):
    buy(team, key="forever")
    buy(team, key="soon", expires_at=NOON + timedelta(days=1))

    credits.spend(team, D(12), key="a", now=NOON)

    lots = CreditLot.objects.order_by("entry__key").values_list("entry__key", "remaining")
    assert list(lots) == [("forever", D(8)), ("soon", D(0))]


def test_what_has_expired_can_not_be_spent(team):
    buy(team, expires_at=NOON + timedelta(days=1))

    assert credits.spend(team, D(1), key="a", now=NOON + timedelta(days=1)) == 0
    assert CreditEntry.objects.filter(kind=EntryKind.EXPIRY).count() == 1
    assert agree()


def test_credits_expire_once(team):
    end = NOON + timedelta(days=1)
    buy(team, expires_at=end)

    assert (credits.expire(now=end), credits.expire(now=end)) == (1, 0)
    assert credits.balance(team) == 0


def test_a_refund_gives_back_what_is_left_of_that_purchase_once(team):
    buy(team)
    credits.add(team, D(5), kind=EntryKind.GRANT, key="welcome", now=NOON)
    credits.spend(team, D(4), key="a", now=NOON)

    assert credits.refund(team, purchase_key="order-1", now=NOON) == 6
    assert credits.refund(team, purchase_key="order-1", now=NOON) == 0
    assert credits.balance(team) == 5
    assert agree()


def test_another_team_s_purchase_can_not_be_refunded(team):
    buy(Team.objects.create(name="Elsewhere"))

    with pytest.raises(InvalidValue, match="no such purchase"):
        credits.refund(team, purchase_key="order-1", now=NOON)


@pytest.mark.parametrize("amount", ["0", "-1", "0.001"])
def test_a_strange_amount_is_refused(team, amount):
    with pytest.raises(InvalidValue, match="whole cents"):
        buy(team, amount)


def test_the_database_refuses_an_entry_that_does_not_add_up(team):
    buy(team)
    CreditPosting.objects.create(entry=CreditEntry.objects.get(), account="gift", amount=D(1))

    with pytest.raises(IntegrityError, match=r"add up to 1\.00"):
        connection.check_constraints()


def test_the_database_refuses_to_rewrite_history(team):
    buy(team)

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        CreditPosting.objects.update(amount=D(99))


@pytest.mark.django_db(transaction=True)
def test_forty_that_spend_at_once_never_overdraw():
    team = Team.objects.create(name="Busy")
    buy(team, "10.00")

    def spend(number: int) -> Decimal:
        try:
            return credits.spend(team, D("0.40"), key=f"s{number}", now=NOON)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        paid = list(pool.map(spend, range(40)))

    assert sum(paid) == 10
    assert credits.balance(team) == 0
    assert agree()
