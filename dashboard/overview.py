"""What a model's page shows, read for one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard import ribbon, rows, states, times
from dashboard.described import Described, described
from dashboard.ribbon import Hours, Ribbon
from dashboard.states import Look, StateView
from dashboard.waking import UnderWay
from dashboard.waking import view as wake_view
from hosting import queries
from hosting.lifecycle import warm_windows
from hosting.metering import queries as metering
from hosting.metering.queries import Point, Usage
from hosting.models import HostedModel, Replica
from hosting.states import State

# name: (hours, seconds per point)
RANGES = {"1h": (1, 60), "24h": (24, 600), "7d": (168, 3600), "30d": (720, 21600)}
RANGE_WORDS = {"1h": "1 h", "24h": "24 h", "7d": "7 d", "30d": "30 d"}


@dataclass(frozen=True, slots=True)
class Chart:
    """Requests over time: for the drawing, and as a table."""

    chosen: str
    points: Sequence[Point]
    bands: Sequence[tuple[float, float, str]]
    usage: Usage

    @property
    def data(self) -> dict[str, list[object]]:
        """What the drawing reads."""
        return {
            "t": [point.at.timestamp() for point in self.points],
            "ok": [point.requests - point.errors for point in self.points],
            "bad": [point.errors for point in self.points],
            "bands": list(self.bands),
        }

    @property
    def broken(self) -> bool:
        """Whether it had failed at some time of the range: a band of its own, and a word for it."""
        return any(css == "failed" for *_, css in self.bands)

    @property
    def busy(self) -> list[Point]:
        """The points with something in them, newest first: the table."""
        return [point for point in reversed(self.points) if point.requests]


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the history."""

    look: Look
    cause: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Overview:
    """The live part of the page."""

    model: HostedModel
    state: StateView
    runs: str
    ribbon: Ribbon
    ticks: Sequence[str]
    chart: Chart
    moves: Sequence[Move]
    wake: UnderWay | None
    failed_replica: Replica | None

    @property
    def usual_wake(self) -> float | None:
        """How long a wake usually takes, in seconds; None before the first."""
        return self.model.revision.wake_seconds if self.model.revision else None

    @property
    def described(self) -> Described | None:
        """What it takes and gives, as far as that is known."""
        return described(self.model.revision) if self.model.revision else None

    @property
    def changing(self) -> bool:
        """Whether the page should look again soon."""
        return self.wake is not None or self.model.state == State.DRAINING


def overview(model: HostedModel, *, chosen: str, now: datetime) -> Overview:
    """Read everything the live part shows."""
    since = times.last(24, now=now)
    day = queries.spans(model, since=since, until=now)
    awakening = model.state == State.AWAKENING
    failed = model.state == State.FAILED
    return Overview(
        model=model,
        state=states.view(model, now=now),
        runs=rows.what_runs(model.revision, titles=rows.titles()),
        ribbon=ribbon.build(day, since=since, until=now, warm=_warm(model, since=since, until=now)),
        ticks=times.ticks(since, now),
        chart=chart(model, chosen=chosen, now=now),
        moves=moves(model, limit=6),
        wake=wake_view(model, now=now) if awakening else None,
        failed_replica=queries.last_replica(model) if failed else None,
    )


def _warm(model: HostedModel, *, since: datetime, until: datetime) -> list[Hours]:
    return warm_windows.spans(
        model.warm_windows, time_zone=model.time_zone, since=since, until=until
    )


def chart(model: HostedModel, *, chosen: str, now: datetime) -> Chart:
    """The requests of one range, with the states as bands behind them."""
    name = chosen if chosen in RANGES else "24h"
    hours, bucket = RANGES[name]
    since = times.last(hours, now=now)
    since -= timedelta(seconds=since.timestamp() % bucket)
    points = metering.series(model.pk, since=since, until=now, bucket_seconds=bucket)
    bands = [
        (span.start.timestamp(), span.end.timestamp(), states.look(span.state).css)
        for span in queries.spans(model, since=since, until=now)
        if span.state in (State.ASLEEP, State.AWAKENING, State.FAILED)
    ]
    requests = sum(point.requests for point in points)
    errors = sum(point.errors for point in points)
    return Chart(name, points, bands, Usage(requests, errors))


def moves(model: HostedModel, *, limit: int) -> list[Move]:
    """The last moves with their causes in words."""
    found = queries.transitions(model, limit=limit)
    return [
        Move(look=states.look(each.to_state), cause=_in_words(each.event, each.cause), at=each.at)
        for each in found
    ]


EVENT_WORDS = {
    "request": "by a request",
    "ready": "it answered",
    "start_failed": "it did not start",
    "idle": "no requests",
    "sleep": "put to sleep",
    "drained": "all requests done",
    "doze": "paused, its memory kept",
    "deep_sleep": "stopped",
    "replica_lost": "its container was gone",
    "crash_loop": "its container keeps ending",
}


def _in_words(event: str, cause: str) -> str:
    """A cause that says more than the event takes its place."""
    words = EVENT_WORDS.get(event, event)
    if cause in ("", event, "request"):
        return words
    if event == "request":
        return f"by {cause}"
    if event == "sleep":
        return f"{words} by {cause}"
    return cause.rstrip(".")
