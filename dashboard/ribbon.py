"""The 24-hour ribbon: which state a model was in, as rectangles of an SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard import times
from dashboard.states import look
from hosting.queries import Span

Hours = tuple[datetime, datetime]

WIDTH = 1000.0
# A wake of two seconds would be invisible in a day.
NARROWEST = 2.5


@dataclass(frozen=True, slots=True)
class Band:
    """One rectangle."""

    css: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Ribbon:
    """The rectangles and the same in words."""

    bands: tuple[Band, ...]
    label: str
    seconds: dict[str, float]  # by css class
    wakes: int
    warm: tuple[Band, ...] = ()  # the hours it is kept awake: a line along the foot

    @property
    def awake(self) -> str:
        """How long it was awake."""
        return times.lasting(self.seconds.get("awake", 0) + self.seconds.get("draining", 0))

    @property
    def asleep(self) -> str:
        """How long it was asleep."""
        return times.lasting(self.seconds.get("asleep", 0))

    @property
    def drowsy(self) -> str:
        """How long it was paused with its memory kept; empty when it never was."""
        seconds = self.seconds.get("drowsy", 0)
        return times.lasting(seconds) if seconds else ""

    @property
    def failed(self) -> str:
        """How long it had failed; empty when it never had."""
        seconds = self.seconds.get("failed", 0)
        return times.lasting(seconds) if seconds else ""


def build(
    spans: Sequence[Span], *, since: datetime, until: datetime, warm: Sequence[Hours] = ()
) -> Ribbon:
    """Lay the spans out from left to right; before its creation a model has no state."""
    scale = WIDTH / (until - since).total_seconds()
    bands, words = [], []
    seconds: dict[str, float] = {}
    for span in spans:
        css = look(span.state).css
        start = (span.start - since).total_seconds() * scale
        width = max(span.seconds * scale, NARROWEST)
        bands.append(Band(css, round(min(start, WIDTH - width), 1), round(width, 1)))
        words.append(f"{look(span.state).word.lower()} from {span.start:%H:%M}")
        seconds[css] = seconds.get(css, 0) + span.seconds
    # The short ones last, so that nothing covers them.
    bands.sort(key=lambda band: -band.width)
    wakes = sum(span.state == "awakening" for span in spans)
    label = _sentence(words)
    hours = tuple(_hours(each, since=since, until=until, scale=scale) for each in warm)
    return Ribbon(tuple(bands), label, seconds, wakes, hours)


def _hours(span: Hours, *, since: datetime, until: datetime, scale: float) -> Band:
    start, end = max(span[0], since), min(span[1], until)
    x = (start - since).total_seconds() * scale
    return Band("warm", round(x, 1), round((end - start).total_seconds() * scale, 1))


def _sentence(words: list[str]) -> str:
    if len(words) > 12:
        words = [f"{len(words) - 12} earlier changes", *words[-12:]]
    text = ", ".join(words)
    return f"{text[:1].upper()}{text[1:]} UTC" if text else "Nothing yet"
