"""Wakes as people see them: who asked, what took how long, and bars from left to right. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from hosting.metering.wakes import Phase, Usual, Waiting, phases
from hosting.models import Wake

WIDTH = 1000.0
NARROWEST = 3.0  # a step of a millisecond must still be seen
# What each part is, by the moment that ends it, and whose time it is.
PARTS = {
    "taken": ("Handed to a worker", "ours"),
    "prepared": ("Image and room found", "ours"),
    "started": ("Container started", "engine"),
    "listening": ("Port opened", "model"),
    "ended": ("Model answered", "model"),
    "let_in": ("First request let in", "ours"),
}
ENDINGS = {"failed": "Failed", "given_up": "Called off"}
# What a wake under way is at, by the moment that will end it. When a port opened is written when
# the model answers, so the two are one until then.
STARTS = {
    "taken": "Hand it to a worker",
    "prepared": "Find its image and room",
    "started": "Start its container",
    "ended": "Wait until the model answers",
}
RESUMES = {"taken": "Hand it to a worker", "ended": "Resume its container"}
PATHS = {"status": "/v1", "info": "/v1/info", "query": "/v1/query", "other": "/v1/…"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One part: a line of the table and its rectangle."""

    words: str
    css: str
    seconds: float | None  # None: it has not begun
    x: float
    width: float
    slow: float | None = None  # nine in ten are faster; None: it is one wake's
    now: bool = False  # under way


@dataclass(frozen=True, slots=True)
class WakeView:
    """One wake."""

    wake: Wake
    who: str
    what: str  # method and path; empty when a person asked
    waited: Waiting
    cost: Decimal
    bars: Sequence[Bar]


def view(wake: Wake, *, waited: Waiting, cost: Decimal) -> WakeView:
    """One wake with its bars."""
    return WakeView(
        wake=wake,
        who=who(wake),
        what=f"{wake.method} {PATHS.get(wake.route, wake.route)}".strip() if wake.route else "",
        waited=waited,
        cost=cost,
        bars=bars(phases(wake, waited), wake=wake),
    )


def who(wake: Wake) -> str:
    """Who asked for it, in words."""
    if wake.token is not None:
        return f"Token “{wake.token.label}”"
    if wake.cause == "request":
        return "A caller without a token"
    return wake.cause if "@" in wake.cause else wake.cause.capitalize()


def bars(parts: Sequence[Phase], *, wake: Wake) -> list[Bar]:
    """The parts of one wake, each where it began."""
    if not parts:
        return []
    origin = parts[0].start
    scale = WIDTH / max((parts[-1].end - origin).total_seconds(), 1e-6)
    return [
        _bar(
            _words(part.name, wake),
            PARTS[part.name][1],
            start=(part.start - origin).total_seconds(),
            seconds=part.seconds,
            scale=scale,
        )
        for part in parts
    ]


def live_bars(wake: Wake, *, usual: float | None) -> list[Bar]:
    """A wake under way: what is done, what it is at, what comes; drawn to what is usual."""
    parts = phases(wake)
    steps = RESUMES if wake.resumed else STARTS
    done = {part.name: part for part in parts[:-1]}
    current = next(name for name in steps if name not in done)
    origin, running = parts[0].start, parts[-1]
    scale = WIDTH / max((running.end - origin).total_seconds(), usual or 0.0, 1e-6)
    found = []
    for name, words in steps.items():
        part = done.get(name) or (running if name == current else None)
        if part is None:
            found.append(Bar(words, "", None, x=0.0, width=0.0))
            continue
        start = (part.start - origin).total_seconds()
        bar = _bar(words, PARTS[name][1], start=start, seconds=part.seconds, scale=scale)
        found.append(replace(bar, now=name == current))
    return found


def usual_bars(parts: Sequence[Usual]) -> list[Bar]:
    """A wake as it usually goes: the medians, one after the other."""
    total = sum(part.median for part in parts)
    scale = WIDTH / max(total, 1e-6)
    found, start = [], 0.0
    for part in parts:
        words, css = PARTS[part.name]
        found.append(
            _bar(words, css, start=start, seconds=part.median, scale=scale, slow=part.slow)
        )
        start += part.median
    return found


def _bar(
    words: str,
    css: str,
    *,
    start: float,
    seconds: float,
    scale: float,
    slow: float | None = None,
) -> Bar:
    width = max(seconds * scale, NARROWEST)
    return Bar(
        words,
        css,
        seconds,
        x=round(min(start * scale, WIDTH - width), 1),
        width=round(width, 1),
        slow=slow,
    )


def _words(name: str, wake: Wake) -> str:
    if name != "ended":
        return PARTS[name][0]
    if wake.outcome in ENDINGS:
        return ENDINGS[wake.outcome]
    return "Container resumed" if wake.resumed else PARTS[name][0]


def views(
    wakes: Sequence[Wake], *, waited: Mapping[int, Waiting], costs: Mapping[int, Decimal]
) -> list[WakeView]:
    """Several wakes."""
    return [view(each, waited=waited[each.pk], cost=costs[each.pk]) for each in wakes]
