"""From an invoice's line to the hours it is made of, and from an hour to its requests."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet, Sum

from hosting.billing import plans, rating
from hosting.billing.models import Invoice, InvoiceLine
from hosting.billing.rating import Item, Price
from hosting.models import UsageHour, UsageRecord

_HOUR = timedelta(hours=1)
_COUNTED = {Item.REQUEST: "counted", Item.MODEL_MS: "counted_ms", Item.PASS_THROUGH: "requests"}


@dataclass(frozen=True, slots=True)
class HourOfLine:
    """What one hour adds to a line."""

    hour: datetime
    quantity: int


def hours(line: InvoiceLine) -> list[HourOfLine]:
    """The hours a line is made of. Time awake comes from transitions and has none."""
    item = Item(line.item)
    if item is Item.AWAKE_MS:
        return []
    price = plans.prices_by_id([line.price_id])[line.price_id]
    every = plans.prices_beside(line.price_id)
    rows = (
        _rollups(line.invoice, line, price)
        .values("hour")
        .annotate(quantity=Sum(_COUNTED[item]))
        .order_by("hour")
    )
    return [
        HourOfLine(row["hour"], row["quantity"])
        for row in rows
        if row["quantity"] and _applies(price, every, line.model_id, row["hour"])
    ]


def requests(line: InvoiceLine, *, hour: datetime, after: str = "") -> QuerySet[UsageRecord]:
    """The requests of one hour of a line, by id, after this one; a month that was dropped has
    none.
    """
    item = Item(line.item)
    price = plans.prices_by_id([line.price_id])[line.price_id]
    found = UsageRecord.objects.filter(
        Q(late_hour=None, arrived_at__gte=hour, arrived_at__lt=hour + _HOUR) | Q(late_hour=hour),
        _billed(item, price, record=True),
        team_id=line.invoice.team_id,
        model_id=line.model_id,
    )
    if after:
        found = found.filter(pk__gt=after)
    return found.order_by("pk")


def request_ids(line: InvoiceLine, *, hour: datetime) -> Iterator[str]:
    """All ids of one hour of a line."""
    for pk in requests(line, hour=hour).values_list("pk", flat=True).iterator(2_000):
        yield str(pk)


def _rollups(invoice: Invoice, line: InvoiceLine, price: Price) -> QuerySet[UsageHour]:
    return UsageHour.objects.filter(
        _billed(Item(line.item), price, record=False),
        team_id=invoice.team_id,
        model_id=line.model_id,
        late=line.late,
        hour__gte=invoice.period_start,
        hour__lt=invoice.period_end,
    )


def _billed(item: Item, price: Price, *, record: bool) -> Q:
    """What counts for this item; a rollup row has the counted ones summed up already."""
    if item is Item.PASS_THROUGH:
        outcomes = ("ok",) if price.successes_only else ("ok", "model_error")
        return Q(route="other", outcome__in=outcomes) & ~Q(status=502) & _successes(price)
    return (Q(counted=True) if record else Q()) & _successes(price)


def _successes(price: Price) -> Q:
    return Q(status__lt=400) if price.successes_only else Q()


def _applies(price: Price, prices: list[Price], model_id: int, hour: datetime) -> bool:
    found = rating.in_force(prices, item=price.item, model_id=model_id, at=hour)
    return found is not None and found.id == price.id
