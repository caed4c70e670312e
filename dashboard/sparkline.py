"""The small bars beside a number: requests of a day. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from hosting.metering.queries import Point

WIDTH, HEIGHT, HEADROOM, GAP = 136.0, 29.0, 3.0, 0.9


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `css` says whether it stands for requests (b) or errors (e)."""

    css: str
    x: float
    y: float
    width: float
    height: float


def bars(points: Sequence[Point]) -> list[Bar]:
    """Bars from left to right; errors are the foot of their bar, in the colour of failure."""
    most = max((point.requests for point in points), default=0)
    if not most:
        return []
    step = WIDTH / len(points)
    drawn = []
    for index, point in enumerate(points):
        for css, amount in (("b", point.requests), ("e", point.errors)):
            if amount:
                height = max(1.5, amount / most * (HEIGHT - HEADROOM))
                x = round(index * step, 2)
                drawn.append(
                    Bar(css, x, round(HEIGHT - height, 1), round(step - GAP, 2), round(height, 1))
                )
    return drawn
