"""How many units of each price a team used: read from hours, never from anything that is added to.

What a plan prices is found per hour, so a price that comes into force within a month applies from
its hour on.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from hosting.billing import rating
from hosting.billing.rating import Item, Price, Use
from hosting.models import HostedModel, Transition
from hosting.states import State

_HOUR = timedelta(hours=1)

# One row per model, token and stretch of time in which no price changes. On routes of the model's
# own 502 is ours: the model died instead of answering.
_UNITS = """
SELECT model_id, token_id, late, width_bucket(hour, %(starts)s::timestamptz[]) AS stretch,
    date_trunc('day', hour, 'UTC') AS day,
    coalesce(sum(counted), 0)::bigint,
    coalesce(sum(counted) FILTER (WHERE status < 400), 0)::bigint,
    coalesce(sum(counted_ms), 0)::bigint,
    coalesce(sum(counted_ms) FILTER (WHERE status < 400), 0)::bigint,
    coalesce(sum(requests) FILTER (WHERE route = 'other'
        AND outcome IN ('ok', 'model_error') AND status <> 502), 0)::bigint,
    coalesce(sum(requests) FILTER (WHERE route = 'other' AND outcome = 'ok'
        AND status < 400), 0)::bigint
FROM hosting_usagehour
WHERE team_id = %(team_id)s AND hour >= %(start)s AND hour < %(end)s
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""


@dataclass(frozen=True, slots=True)
class Units:
    """Units of one price, as finely as pages show them."""

    price_id: int
    model_id: int
    token_id: int  # 0: public, or not a request
    day: datetime  # its midnight (UTC)
    late: bool
    quantity: int


def units(team_id: int, *, start: datetime, end: datetime, prices: Iterable[Price]) -> list[Units]:
    """Everything with a price in [start, end): whole hours."""
    known = list(prices)
    found = _of_requests(team_id, start=start, end=end, prices=known)
    if any(price.item is Item.AWAKE_MS for price in known):
        found += _of_being_awake(team_id, start=start, end=end, prices=known)
    return [each for each in found if each.quantity]


def uses(found: Iterable[Units]) -> list[Use]:
    """What rating needs to know of them."""
    sums: Counter[tuple[int, int]] = Counter()
    for each in found:
        sums[each.price_id, each.model_id] += each.quantity
    return [Use(price_id, model_id, quantity) for (price_id, model_id), quantity in sums.items()]


def _of_requests(
    team_id: int, *, start: datetime, end: datetime, prices: list[Price]
) -> list[Units]:
    changes = sorted({price.valid_from for price in prices if start < price.valid_from < end})
    starts = [start, *changes]
    with connection.cursor() as cursor:
        cursor.execute(_UNITS, {"team_id": team_id, "start": start, "end": end, "starts": starts})
        rows = cursor.fetchall()
    found = []
    for model_id, token_id, late, stretch, day, *sums in rows:
        for item, (every, good) in zip(
            (Item.REQUEST, Item.MODEL_MS, Item.PASS_THROUGH),
            zip(sums[0::2], sums[1::2], strict=True),
            strict=True,
        ):
            price = rating.in_force(prices, item=item, model_id=model_id, at=starts[stretch - 1])
            if price is not None:
                quantity = good if price.successes_only else every
                found.append(Units(price.id, model_id, token_id, day, late, quantity))
    return found


def _of_being_awake(
    team_id: int, *, start: datetime, end: datetime, prices: list[Price]
) -> list[Units]:
    found = []
    for model_id in HostedModel.objects.filter(team_id=team_id).values_list("pk", flat=True):
        awake: Counter[tuple[int, datetime]] = Counter()
        for since, until in awake_spans(model_id, start=start, end=end):
            hour = since.replace(minute=0, second=0, microsecond=0)
            while hour < until:
                price = rating.in_force(prices, item=Item.AWAKE_MS, model_id=model_id, at=hour)
                if price is not None:
                    part = min(until, hour + _HOUR) - max(since, hour)
                    day = hour.replace(hour=0)
                    awake[price.id, day] += part // timedelta(microseconds=1)
                hour += _HOUR
        found += [
            Units(price_id, model_id, 0, day, False, microseconds // 1_000)
            for (price_id, day), microseconds in sorted(awake.items())
        ]
    return found


def awake_spans(
    model_id: int, *, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """When a model was awake (draining included) within [start, end), as its transitions say."""
    serving = {State.AWAKE.value, State.DRAINING.value}
    moves = Transition.objects.filter(model_id=model_id, at__lt=end).order_by("at", "pk")
    spans: list[tuple[datetime, datetime]] = []
    since: datetime | None = None
    for at, to_state in moves.values_list("at", "to_state"):
        if to_state in serving:
            since = since or at
        elif since is not None:
            spans.append((since, at))
            since = None
    if since is not None:
        spans.append((since, end))
    return [(max(begin, start), stop) for begin, stop in spans if stop > start]
