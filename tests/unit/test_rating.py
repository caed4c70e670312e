"""Rating: exact, whole, and the same in whatever order usage comes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosting.billing import rating
from hosting.billing.rating import Item, Price, Tier, Use

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
CENT = Price(1, Item.REQUEST, (Tier(None, Decimal("0.01")),), JUNE)

unit_prices = st.decimals("0", "100", places=6)
quantities = st.integers(0, 10**9)


@st.composite
def prices(draw) -> Price:
    bounds = sorted(draw(st.sets(st.integers(1, 10**6), max_size=4)))
    tiers = tuple(Tier(bound, draw(unit_prices)) for bound in [*bounds, None])
    return Price(
        id=draw(st.integers(1, 4)),
        item=Item.REQUEST,
        tiers=tiers,
        valid_from=JUNE,
        per=draw(st.sampled_from([1, 1000, 3600])),
        free_units=draw(st.integers(0, 10**6)),
    )


uses = st.lists(st.builds(Use, st.just(1), st.integers(1, 6), st.integers(0, 10**7)), max_size=30)


def priced(price: Price, of: list[Use]) -> list[rating.Charge]:
    return rating.charge(of, {1: price})


def test_the_default_price_is_a_cent_a_request():
    assert rating.cost(CENT, 3_728) == Decimal("37.28")


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [(0, 0), (100, 0), (101, "0.02"), (1_100, 20), (1_101, "20.01"), (3_100, 40)],
)
def test_free_units_come_first_then_the_tiers(quantity, amount):
    tiers = (Tier(1_000, Decimal("0.02")), Tier(None, Decimal("0.01")))
    price = Price(1, Item.REQUEST, tiers, JUNE, free_units=100)

    assert rating.cost(price, quantity) == Decimal(amount)


def test_a_second_of_model_time_is_priced_by_the_millisecond():
    price = Price(1, Item.MODEL_MS, (Tier(None, Decimal("0.002")),), JUNE, per=1000)

    assert rating.cost(price, 1_234_500) == Decimal("2.469")


def test_the_cost_of_a_negative_quantity_is_refused():
    with pytest.raises(ValueError, match="never negative"):
        rating.cost(CENT, -1)


@given(prices(), uses)
def test_the_lines_add_up_to_the_rounded_whole(price, of):
    whole = rating.cost(price, sum(use.quantity for use in of))

    assert sum(charge.amount for charge in priced(price, of)) == whole.quantize(Decimal("0.01"))


@given(prices(), uses, st.randoms())
def test_the_order_of_usage_does_not_matter(price, of, random):
    shuffled = random.sample(of, len(of))

    assert priced(price, shuffled) == priced(price, of)


@given(prices(), uses)
def test_nothing_is_negative_and_no_unit_is_lost(price, of):
    charges = priced(price, of)

    assert all(charge.amount >= 0 for charge in charges)
    assert sum(charge.quantity for charge in charges) == sum(use.quantity for use in of)


@given(prices(), quantities, quantities)
def test_more_never_costs_less(price, one, other):
    assert rating.cost(price, min(one, other)) <= rating.cost(price, max(one, other))


@given(unit_prices, quantities, quantities)
def test_a_flat_price_of_parts_is_that_of_the_whole(unit_price, one, other):
    flat = Price(1, Item.REQUEST, (Tier(None, unit_price),), JUNE)

    assert rating.cost(flat, one) + rating.cost(flat, other) == rating.cost(flat, one + other)


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1))
def test_a_division_loses_no_cent_and_is_fair_to_one(cents, weights):
    whole = Decimal(cents) / 100
    total = sum(weights)

    parts = rating.divide(whole, weights)

    assert sum(parts) == (whole if total else 0)
    assert all(
        abs(part * 100 * total - cents * weight) < 100 * max(total, 1)
        for part, weight in zip(parts, weights, strict=True)
    )


def test_the_newest_price_is_in_force_and_a_model_s_own_before_it():
    later = Price(2, Item.REQUEST, CENT.tiers, JUNE + timedelta(days=9))
    own = Price(3, Item.REQUEST, CENT.tiers, JUNE, model_id=7)

    def found(model_id: int, days: int) -> int | None:
        price = rating.in_force(
            [CENT, later, own],
            item=Item.REQUEST,
            model_id=model_id,
            at=JUNE + timedelta(days=days),
        )
        return price.id if price else None

    assert [found(5, -1), found(5, 0), found(5, 9), found(7, 9)] == [None, 1, 2, 3]


def test_tax_is_rounded_once():
    assert rating.tax(Decimal("37.28"), rate_percent=Decimal("19")) == Decimal("7.08")
