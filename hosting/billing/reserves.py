"""What one request may cost at most: so much is covered before it goes in."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from accounts.models import Team
from hosting.billing.rating import Item, Price, in_force
from hosting.models import HostedModel

MICRO = 1_000_000  # units of a cap: millionths of the currency
# Routes are told of a new price by the minute: it is reserved for before it holds.
_AHEAD = timedelta(minutes=5)
_PER_REQUEST = (Item.REQUEST, Item.PASS_THROUGH)


def of_team(
    team: Team, prices: Sequence[Price], *, tax_percent: Decimal, now: datetime
) -> dict[str, list[int]]:
    """By model id, [query, other route]; "" holds for models that are not named."""
    models = HostedModel.objects.filter(team=team, deleted_at=None)
    timeouts = dict(models.values_list("pk", "request_timeout_seconds"))
    own = {price.model_id for price in prices if price.model_id in timeouts}
    timed = any(price.item is Item.MODEL_MS for price in prices)
    with_tax = 1 + tax_percent / 100
    longest = max(timeouts.values(), default=0)

    def reserve(model_id: int, seconds: int) -> list[int]:
        query = dearest(prices, Item.REQUEST, model_id=model_id, now=now)
        query += 1000 * seconds * dearest(prices, Item.MODEL_MS, model_id=model_id, now=now)
        other = dearest(prices, Item.PASS_THROUGH, model_id=model_id, now=now)
        return [micro(query * with_tax), micro(other * with_tax)]

    return {"": reserve(0, longest)} | {
        str(model_id): reserve(model_id, seconds)
        for model_id, seconds in sorted(timeouts.items())
        if timed or model_id in own
    }


def exact(prices: Sequence[Price], *, tax_percent: Decimal) -> bool:
    """Whether every request costs just what is reserved for it."""
    return not tax_percent and all(
        price.item in _PER_REQUEST
        and len(price.tiers) == 1
        and not price.free_units
        and not price.successes_only
        for price in prices
    )


def dearest(prices: Sequence[Price], item: Item, *, model_id: int, now: datetime) -> Decimal:
    """The most one unit may cost now or soon: free units and lower tiers are not counted on."""
    found = {in_force(prices, item=item, model_id=model_id, at=at) for at in (now, now + _AHEAD)}
    return max(
        (tier.unit_price / price.per for price in found if price for tier in price.tiers),
        default=Decimal(0),
    )


def micro(amount: Decimal) -> int:
    """An amount in millionths, rounded up."""
    return int((amount * MICRO).to_integral_value(ROUND_CEILING))
