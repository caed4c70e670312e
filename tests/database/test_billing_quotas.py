"""Leases: what the ledger has and what routers may still spend never pass a cap together."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction

from hosting.billing import quotas
from hosting.billing.models import QuotaCap, QuotaLease
from hosting.models import SpoolSource
from hosting.wire import LeaseAnswer, LeaseStatement
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db
CAP = "team:1"
SECOND = timedelta(seconds=1)


@pytest.fixture
def cap(db: None) -> None:
    quotas.allow(CAP, left=1_000, exact=True, shipped={}, now=NOON)


class Lessee:
    """What a router process says of its lease."""

    def __init__(self, router: str = "a", *, boot: int = 1) -> None:
        self.router, self.boot = router, boot
        self.sequence = 0
        self.spent = self.returned = 0

    def say(self, *, wanted: int = 0, at=NOON, **said) -> LeaseAnswer:
        self.sequence += 1
        statement = LeaseStatement(
            cap=CAP,
            number=1,
            sequence=said.pop("sequence", self.sequence),
            spent=self.spent,
            returned=self.returned,
            wanted=wanted,
            **said,
        )
        return quotas.hear([statement], router=self.router, boot=self.boot, at=at, now=at)[0]


def used() -> int:
    return QuotaCap.objects.get().used


def ship(router: str, *, until, ended: int = 0) -> None:
    """The ledger has what this router wrote before; its processes up to `ended` are gone."""
    SpoolSource.objects.update_or_create(
        router=router,
        spool_id="0190b5a0-0000-7000-8000-000000000000",
        defaults={"watermark": until, "ended_boot": ended},
    )


def test_a_lease_is_a_share_of_what_is_left(cap):
    router = Lessee()

    assert [router.say(wanted=1).granted for _ in range(3)] == [125, 234, 329]
    assert used() == 329


def test_routers_that_are_there_share(cap):
    Lessee("b").say(wanted=1)

    assert Lessee("a").say(wanted=1).granted == (1_000 - 125) // 16


def test_units_come_in_whole_requests(cap):
    assert Lessee().say(wanted=50).granted == 100


def test_less_than_a_request_is_not_handed_out(cap):
    answer = Lessee().say(wanted=1_001)

    assert (answer.granted, answer.short) == (0, "used_up")


def test_what_others_hold_may_come_back(cap):
    other = Lessee("b")
    other.say(wanted=1_000)

    assert Lessee("a").say(wanted=1).short == "elsewhere"
    other.spent = 1_000
    other.say()
    assert Lessee("c").say(wanted=1).short == "used_up"


def test_what_may_turn_out_free_is_worth_waiting_for(db):
    quotas.allow(CAP, left=10, exact=False, shipped={}, now=NOON)
    router = Lessee()
    router.say(wanted=10)
    router.spent = 10

    assert router.say(wanted=1).short == "elsewhere"


def test_returned_units_are_free_again_once(cap):
    router = Lessee()
    router.say(wanted=1_000)
    router.spent, router.returned = 600, 400
    router.say()
    router.say()

    assert used() == 600
    assert Lessee("b").say(wanted=400).granted == 400


def test_a_statement_that_is_told_twice_grants_once(cap):
    router = Lessee()
    first = router.say(wanted=100)

    assert router.say(wanted=100, sequence=1) == first
    assert used() == 100


def test_what_was_spent_counts_until_the_ledger_has_it(cap):
    router = Lessee()
    router.say(wanted=1_000)
    router.spent = 1_000
    router.say(at=NOON + SECOND)  # nothing was shipped yet: the mark stays where it was
    assert quotas.shipped(now=NOON) == {QuotaLease.objects.get().pk: 0}

    ship("a", until=NOON + SECOND)
    router.say(at=NOON + 2 * SECOND)
    ship("a", until=NOON + 3 * SECOND)
    shipped = quotas.shipped(now=NOON + 3 * SECOND)
    # The rollups say that all was spent.
    quotas.allow(CAP, left=0, exact=True, shipped=shipped, now=NOON)

    assert list(shipped.values()) == [1_000]
    assert used() == 0
    assert router.say(wanted=1).short == "used_up"


def test_what_turned_out_free_can_be_spent_again(cap):
    router = Lessee()
    router.say(wanted=1_000)
    router.spent = 1_000
    ship("a", until=NOON)
    router.say(at=NOON + SECOND)
    ship("a", until=NOON + SECOND)
    quotas.allow(CAP, left=1_000, exact=True, shipped=quotas.shipped(now=NOON), now=NOON)

    assert router.say(wanted=1_000).granted == 2_000


def test_a_router_that_took_a_dead_one_s_place_frees_what_it_held(cap):
    Lessee("a", boot=1).say(wanted=1_000)
    assert Lessee("a", boot=2).say(wanted=1).short == "elsewhere"

    late = NOON + SECOND
    ship("a", until=late)
    quotas.allow(CAP, left=400, exact=True, shipped=quotas.shipped(now=late), now=late)

    assert used() == 0  # what it spent, 600, is what the rollups say
    assert Lessee("a", boot=3).say(wanted=400).granted == 400


def test_what_a_dead_router_held_stays_used_until_its_spool_was_shipped(cap):
    Lessee("a", boot=1).say(wanted=1_000)
    late = NOON + SECOND
    quotas.hear([], router="a", boot=2, at=NOON, now=late)

    ship("a", until=NOON)
    quotas.allow(CAP, left=1_000, exact=True, shipped=quotas.shipped(now=late), now=late)

    assert used() == 1_000


def test_a_late_word_of_a_dead_router_harms_nobody(cap):
    dead = Lessee("a", boot=1)
    dead.say(wanted=10)
    alive = Lessee("a", boot=2)
    alive.say(wanted=10)

    assert dead.say(wanted=10).ended
    assert not alive.say(wanted=10).ended


def test_a_router_that_is_proved_gone_frees_what_it_held_at_the_next_look(cap):
    Lessee("a", boot=3).say(wanted=1_000)
    late = NOON + 2 * SECOND
    ship("a", until=late, ended=3)  # the ledger says that it spent 600

    quotas.allow(CAP, left=400, exact=True, shipped=quotas.shipped(now=late), now=late)

    assert used() == 0
    assert Lessee("b").say(wanted=400).granted == 400


def test_a_router_that_is_gone_is_worth_waiting_for_until_its_spool_was_shipped(cap):
    Lessee("a").say(wanted=1_000)
    quotas.hear([], router="a", boot=2, at=NOON, now=NOON + SECOND)
    assert Lessee("b").say(wanted=1).short == "elsewhere"

    late = NOON + 2 * SECOND
    ship("a", until=late)
    quotas.allow(CAP, left=0, exact=True, shipped=quotas.shipped(now=late), now=late)

    assert Lessee("c").say(wanted=1, at=late).short == "used_up"


@pytest.mark.parametrize("silent", [SECOND, timedelta(minutes=1), timedelta(days=1)])
def test_a_router_that_is_only_silent_keeps_what_it_may_have_let_in(cap, silent):
    router = Lessee(boot=2)
    router.say(wanted=1_000)
    late = NOON + silent
    ship("a", until=late, ended=1)  # the process before it

    quotas.allow(CAP, left=1_000, exact=True, shipped=quotas.shipped(now=late), now=late)

    assert used() == 1_000
    assert not router.say(at=late).ended
    assert Lessee("b").say(wanted=1, at=late).granted == 0


def test_a_host_that_is_gone_keeps_what_its_router_held_until_its_spool_is_retired(cap):
    Lessee().say(wanted=1_000)
    ship("a", until=NOON)
    late = NOON + timedelta(hours=1)
    quotas.allow(CAP, left=1_000, exact=True, shipped=quotas.shipped(now=late), now=late)
    assert used() == 1_000

    SpoolSource.objects.update(retired_at=late)
    quotas.allow(CAP, left=1_000, exact=True, shipped=quotas.shipped(now=late), now=late)

    assert used() == 0


def test_of_two_hosts_with_a_router_of_one_name_one_that_lives_is_enough(cap):
    Lessee().say(wanted=1_000)
    ship("a", until=NOON, ended=1)
    SpoolSource.objects.create(
        router="a", spool_id="0190b5a0-0000-7000-8000-000000000001", watermark=NOON
    )

    quotas.allow(CAP, left=1_000, exact=True, shipped=quotas.shipped(now=NOON), now=NOON)

    assert used() == 1_000


def test_what_the_rollups_had_before_the_router_said_so_is_waited_for_and_comes(cap):
    router = Lessee()
    router.say(wanted=600)
    first, second, third, last = (NOON + number * SECOND for number in range(1, 5))
    router.spent = 600
    # All of it is in the ledger already, and the router's word on it is not.
    quotas.allow(CAP, left=400, exact=True, shipped=quotas.shipped(now=first), now=first)

    router.say(at=second)
    assert Lessee("b").say(wanted=1, at=second).short == "elsewhere"

    ship("a", until=second)
    router.say(at=third)
    ship("a", until=last)
    quotas.allow(CAP, left=400, exact=True, shipped=quotas.shipped(now=last), now=last)
    assert Lessee("c").say(wanted=400, at=last).granted == 400


def test_a_router_that_leaves_gives_back_what_it_has(cap):
    router = Lessee()
    router.say(wanted=1_000)
    router.spent, router.returned = 10, 990

    assert router.say(closing=True).ended
    assert used() == 10


def test_a_smaller_budget_takes_nothing_from_those_who_hold_it(cap):
    Lessee().say(wanted=800)

    quotas.allow(CAP, left=100, exact=True, shipped={}, now=NOON)

    assert QuotaCap.objects.get().cap == 800
    assert Lessee("b").say(wanted=1).granted == 0


def test_what_comes_back_after_a_budget_was_made_smaller_is_not_handed_out_again(cap):
    holder = Lessee()
    holder.say(wanted=800)
    quotas.allow(CAP, left=100, exact=True, shipped={}, now=NOON)

    holder.returned = 750
    holder.say()

    assert Lessee("b").say(wanted=51).granted == 0
    assert Lessee("c").say(wanted=50).granted == 50


def test_the_database_refuses_more_than_the_cap(cap):
    with pytest.raises(IntegrityError), transaction.atomic():
        QuotaCap.objects.update(used=1_001)


def test_a_cap_that_was_removed_grants_nothing(db):
    assert Lessee().say(wanted=1) == LeaseAnswer(
        cap=CAP, number=1, sequence=1, granted=0, short="elsewhere"
    )


@pytest.mark.django_db(transaction=True)
def test_eight_that_ask_at_once_get_exactly_the_cap():
    quotas.allow(CAP, left=1_000, exact=True, shipped={}, now=NOON)

    def spend(name: str) -> int:
        router = Lessee(name)
        try:
            while True:
                answer = router.say(wanted=1)
                router.spent = answer.granted
                if answer.short == "used_up":
                    return answer.granted
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as routers:
        spent = list(routers.map(spend, "abcdefgh"))

    assert sum(spent) == 1_000
    assert used() == 1_000
