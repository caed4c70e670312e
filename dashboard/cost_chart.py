"""The bars of “Cost per day”: the two dearest models, all others, and what is expected. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

WIDTH, HEIGHT = 1000, 200
_GAP = 4
_NAMED = 2


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a bar; `css` is a, b, c (models) or f (expected)."""

    css: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """What the page draws, and the words beside it."""

    blocks: list[Block]
    lines: list[tuple[float, str]]  # height and amount of the rules
    days: list[str]  # under the axis
    legend: list[tuple[str, str]]  # css and name
    table: list[tuple[str, Decimal]]  # each day that has begun, and what it cost


def draw(
    by_day: Mapping[datetime, Mapping[int, Decimal]],
    *,
    start: datetime,
    end: datetime,
    now: datetime,
    expected: Decimal,
    order: Sequence[int],
    names: Mapping[int, str],
) -> Chart:
    """Draw a month. `order`: models, the dearest first; `expected`: what is still to come."""
    days = [start + timedelta(days=number) for number in range((end - start).days)]
    ahead = [day for day in days if day > now]
    guess = expected / len(ahead) if ahead and expected > 0 else Decimal(0)
    sums = [sum(by_day.get(day, {}).values(), Decimal(0)) for day in days]
    top = _round_up(max([*sums, guess, Decimal("0.01")]))
    step = WIDTH / len(days)
    blocks = []
    for number, day in enumerate(days):
        x, floor = number * step + _GAP / 2, float(HEIGHT)
        parts = _parts(by_day.get(day, {}), order) if day not in ahead else [("f", guess)]
        for css, amount in parts:
            height = float(amount / top) * HEIGHT
            if height:
                floor -= height
                blocks.append(
                    Block(
                        css, round(x, 1), round(floor, 1), round(step - _GAP, 1), round(height, 1)
                    )
                )
    return Chart(
        blocks=blocks,
        lines=[(HEIGHT * (1 - part / 4), _amount(top * part / 4)) for part in range(4, -1, -1)],
        days=[_named(day) if not number else str(day.day) for number, day in enumerate(days)][::7],
        legend=_legend(order, names, guess=guess),
        table=[
            (_named(day), cost) for day, cost in zip(days, sums, strict=True) if day not in ahead
        ],
    )


def _named(day: datetime) -> str:
    return f"{day.day} {day:%b}"


def _parts(models: Mapping[int, Decimal], order: Sequence[int]) -> list[tuple[str, Decimal]]:
    named = order[:_NAMED]
    parts = [(css, models.get(model, Decimal(0))) for css, model in zip("ab", named, strict=False)]
    rest = sum((amount for model, amount in models.items() if model not in named), Decimal(0))
    return [*parts, ("c", rest)]


def _legend(
    order: Sequence[int], names: Mapping[int, str], *, guess: Decimal
) -> list[tuple[str, str]]:
    legend = [
        (css, names.get(model, f"model {model}"))
        for css, model in zip("ab", order[:_NAMED], strict=False)
    ]
    if len(order) > _NAMED:
        legend.append(("c", "Other models"))
    return [*legend, ("f", "Expected")] if guess else legend


def _round_up(amount: Decimal) -> Decimal:
    """The next round amount that four rules divide well."""
    size = Decimal("0.04")
    while True:
        for factor in (1, 2, 5):
            if size * factor >= amount:
                return size * factor
        size *= 10


def _amount(value: Decimal) -> str:
    return "0" if not value else f"${value:,.2f}".removesuffix(".00")
