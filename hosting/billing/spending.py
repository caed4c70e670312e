"""What a running month has cost so far, by model, token and day; every split adds up to the whole.

Read from hours like an invoice, the open ones included, so it is at most a minute behind.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from accounts.models import Team
from hosting.billing import plans, quantities, rating
from hosting.billing.quantities import Units
from hosting.billing.rating import Charge, Item, Price
from hosting.metering.partitions import month_of, next_month

_ZERO = Decimal("0.00")
Key = TypeVar("Key", int, datetime)


@dataclass(frozen=True, slots=True)
class ModelCost:
    """One model's share of a month."""

    model_id: int
    requests: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Spending:
    """A month of one team."""

    start: datetime
    end: datetime
    currency: str
    subtotal: Decimal = _ZERO
    tax: Decimal = _ZERO
    models: list[ModelCost] = field(default_factory=list)  # the dearest first
    by_token: dict[int, Decimal] = field(default_factory=dict)  # 0: public, or not requests
    by_day: dict[datetime, dict[int, Decimal]] = field(default_factory=dict)  # day, model

    @property
    def total(self) -> Decimal:
        """With tax."""
        return self.subtotal + self.tax

    def of_model(self, model_id: int) -> Decimal:
        """What one model cost."""
        return sum((each.amount for each in self.models if each.model_id == model_id), _ZERO)

    def of_token(self, token_id: int) -> Decimal:
        """What requests with one token cost."""
        return self.by_token.get(token_id, _ZERO)


@dataclass(frozen=True, slots=True)
class ListPrices:
    """What things cost by themselves at a moment: free units and later tiers left out."""

    currency: str
    prices: list[Price]
    at: datetime

    def of_requests(self, model_id: int, count: int, *, item: Item = Item.REQUEST) -> Decimal:
        """So many requests to this model."""
        price = rating.in_force(self.prices, item=item, model_id=model_id, at=self.at)
        if price is None:
            return _ZERO
        return rating.cost(replace(price, free_units=0), count)


def list_prices(team: Team, *, at: datetime) -> ListPrices:
    """A team's prices at this moment."""
    plan = plans.plan_of(team, at=at)
    return ListPrices(plan.currency, plans.prices_of(plan), at)


def of_month(team: Team, *, now: datetime, until: datetime | None = None) -> Spending:
    """Price the month that `now` lies in; `until`: only its hours before that."""
    start, end = month_of(now), next_month(month_of(now))
    plan = plans.plan_of(team, at=start)
    prices = plans.prices_of(plan)
    found = quantities.units(team.pk, start=start, end=min(until or end, end), prices=prices)
    charges = rating.charge(quantities.uses(found), {price.id: price for price in prices})
    subtotal = sum((charge.amount for charge in charges), _ZERO)
    items = {price.id: price.item for price in prices}
    return Spending(
        start=start,
        end=end,
        currency=plan.currency,
        subtotal=subtotal,
        tax=rating.tax(subtotal, rate_percent=plans.profile_of(team).tax_percent),
        models=_by_model(charges, items),
        by_token=_by_token(found, charges),
        by_day=_by_day(found, charges),
    )


def same_day_last_month(team: Team, *, now: datetime) -> Decimal:
    """What the month before had cost by the same moment."""
    start = month_of(month_of(now) - timedelta(days=1))
    moment = min(start + (now - month_of(now)), month_of(now))
    return of_month(team, now=start, until=moment).total


def expected(spent: Spending, *, now: datetime) -> Decimal:
    """What the month comes to if it goes on like its last seven days, in whole cents."""
    week = now - timedelta(days=7)
    since = max(spent.start, week)
    recent = sum(
        (sum(models.values()) for day, models in spent.by_day.items() if day >= since), _ZERO
    )
    passed = max((now - since).total_seconds(), 3600)
    left = max((spent.end - now).total_seconds(), 0)
    growth = recent * Decimal(int(left)) / Decimal(int(passed))
    return spent.total + growth.quantize(rating.CENT)


def _by_model(charges: list[Charge], items: dict[int, Item]) -> list[ModelCost]:
    amounts: dict[int, Decimal] = defaultdict(lambda: _ZERO)
    requests: dict[int, int] = defaultdict(int)
    for charge in charges:
        amounts[charge.model_id] += charge.amount
        if items[charge.price_id] in (Item.REQUEST, Item.PASS_THROUGH):
            requests[charge.model_id] += charge.quantity
    rows = [ModelCost(model_id, requests[model_id], amount) for model_id, amount in amounts.items()]
    return sorted(rows, key=lambda row: (-row.amount, row.model_id))


def _by_token(found: list[Units], charges: list[Charge]) -> dict[int, Decimal]:
    result: dict[int, Decimal] = defaultdict(lambda: _ZERO)
    for charge in charges:
        for token_id, amount in _split(found, charge, by=lambda each: each.token_id).items():
            result[token_id] += amount
    return dict(result)


def _by_day(found: list[Units], charges: list[Charge]) -> dict[datetime, dict[int, Decimal]]:
    result: dict[datetime, dict[int, Decimal]] = defaultdict(lambda: defaultdict(lambda: _ZERO))
    for charge in charges:
        for day, amount in _split(found, charge, by=lambda each: each.day).items():
            result[day][charge.model_id] += amount
    return {day: dict(models) for day, models in sorted(result.items())}


def _split(found: list[Units], charge: Charge, *, by: Callable[[Units], Key]) -> dict[Key, Decimal]:
    """Divide one charge over the units it is for."""
    weights: dict[Key, int] = defaultdict(int)
    for each in found:
        if (each.price_id, each.model_id) == (charge.price_id, charge.model_id):
            weights[by(each)] += each.quantity
    keys = sorted(weights)
    parts = rating.divide(charge.amount, [weights[key] for key in keys])
    return dict(zip(keys, parts, strict=True))
