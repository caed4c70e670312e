"""What usage costs: pure Decimal arithmetic, no clock, no database.

A price applies to all of a team's usage of one kind in a period, free units first, then its tiers.
The whole is exact; it is rounded once, to the invoice's lines, so that they add up to the whole.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from enum import StrEnum

CENT = Decimal("0.01")
# Enough for any quantity times any price without rounding. Only the one division by `per` may be
# inexact, in its sixtieth digit.
_EXACT = Context(prec=60)


class Item(StrEnum):
    """What can have a price. The unit of a price is one of these."""

    REQUEST = "request"  # a counted POST to /v1/query
    PASS_THROUGH = "pass_through"  # noqa: S105 - a request to a route of the model's own
    MODEL_MS = "model_ms"  # model time of counted requests, in milliseconds
    AWAKE_MS = "awake_ms"  # being awake, in milliseconds


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to `up_to` (None: all further ones) cost `unit_price` per `Price.per`."""

    up_to: int | None
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """One price, from `valid_from` on. Never edited: a new one takes its place."""

    id: int
    item: Item
    tiers: tuple[Tier, ...]
    valid_from: datetime
    model_id: int | None = None  # for this model only
    per: int = 1  # units the tier's price is for: 1,000 of MODEL_MS are a second
    free_units: int = 0
    successes_only: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """Units of one model that one price applies to."""

    price_id: int
    model_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Charge:
    """What one model's use of one price comes to."""

    price_id: int
    model_id: int
    quantity: int
    amount: Decimal  # in cents, rounded


def in_force(prices: Iterable[Price], *, item: Item, model_id: int, at: datetime) -> Price | None:
    """The price of a unit at this moment: the model's own before the plan's, the newest first."""
    candidates = [
        price
        for price in prices
        if price.item is item and price.valid_from <= at and price.model_id in (None, model_id)
    ]
    return max(
        candidates,
        key=lambda price: (price.model_id is not None, price.valid_from, price.id),
        default=None,
    )


def cost(price: Price, quantity: int) -> Decimal:
    """What so many units cost, exactly."""
    if quantity < 0:
        raise ValueError("a quantity is never negative")
    billable = max(0, quantity - price.free_units)
    total, start = Decimal(0), 0
    with localcontext(_EXACT):
        for tier in price.tiers:
            end = billable if tier.up_to is None else min(billable, tier.up_to)
            if end > start:
                total += (end - start) * tier.unit_price
                start = end
        return total / price.per


def charge(uses: Iterable[Use], prices: Mapping[int, Price]) -> list[Charge]:
    """Price a period: one charge per price and model, in cents, in a settled order.

    A price is applied to the sum of all models: free units and tiers are the team's. Its cost is
    rounded once and divided by quantity; the cents left over go to the largest remainders.
    """
    quantities: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for use in uses:
        quantities[use.price_id][use.model_id] += use.quantity
    charges = []
    for price_id in sorted(quantities):
        by_model = quantities[price_id]
        whole = cost(prices[price_id], sum(by_model.values())).quantize(
            CENT, rounding=ROUND_HALF_EVEN
        )
        models = sorted(by_model)
        parts = divide(whole, [by_model[model_id] for model_id in models])
        charges += [
            Charge(price_id, model_id, by_model[model_id], amount)
            for model_id, amount in zip(models, parts, strict=True)
        ]
    return charges


def divide(whole: Decimal, weights: Sequence[int]) -> list[Decimal]:
    """Divide cents by weight; the parts add up to the whole, each within a cent of its share."""
    cents, total = int(whole / CENT), sum(weights)
    if not total:
        return [Decimal("0.00")] * len(weights)
    shares = [cents * weight // total for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda number: (-(cents * weights[number] % total), number)
    )
    for number in by_remainder[: cents - sum(shares)]:
        shares[number] += 1
    return [share * CENT for share in shares]


def payable(amount: Decimal) -> bool:
    """Whether somebody can pay this: above zero, in whole cents, and not more than books hold."""
    return amount.is_finite() and 0 < amount < 10**12 and amount == amount.quantize(CENT)


def tax(subtotal: Decimal, *, rate_percent: Decimal) -> Decimal:
    """The tax line, rounded once."""
    return (subtotal * rate_percent / 100).quantize(CENT, rounding=ROUND_HALF_EVEN)
