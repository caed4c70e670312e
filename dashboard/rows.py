"""What the models list shows, in a handful of queries however many models there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from accounts.models import Team
from dashboard import ribbon, sparkline, states, times
from dashboard.ribbon import Ribbon
from dashboard.sparkline import Bar
from dashboard.states import StateView
from hosting import catalogue, queries
from hosting.metering import queries as metering
from hosting.metering.queries import Usage
from hosting.models import HostedModel, Revision, Target
from hosting.states import State

HALF_HOUR = 1800


@dataclass(frozen=True, slots=True)
class Row:
    """One model in the list."""

    model: HostedModel
    state: StateView
    runs: str
    usage: Usage
    bars: Sequence[Bar]
    ribbon: Ribbon
    canary: Target | None


@dataclass(frozen=True, slots=True)
class Filter:
    """One state to choose, with how many models it would show."""

    name: str  # as in the address; empty: all
    word: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """The strip above the list."""

    usage: Usage
    models: int
    awake: int
    wakes: int
    median_wake: str

    @property
    def success_rate(self) -> str:
        """In per cent; a dash before the first request."""
        if not self.usage.requests:
            return "–"
        rate = 100 * (1 - self.usage.errors / self.usage.requests)
        return f"{rate:.2f}".rstrip("0").rstrip(".") + "\N{NO-BREAK SPACE}%"


@dataclass(frozen=True, slots=True)
class Listing:
    """The whole fragment."""

    rows: Sequence[Row]
    filters: Sequence[Filter]
    summary: Summary
    search: str
    state: str

    @property
    def waking(self) -> bool:
        """Whether something is on its way, so that the page looks again soon."""
        return any(row.model.state == State.AWAKENING for row in self.rows)


def listing(team: Team, *, search: str, state: str, now: datetime) -> Listing:
    """Read the list for one team, as far as search and state let through."""
    models = list(queries.hosted_models(team))
    since = times.last(24, now=now)
    usage = metering.totals([model.pk for model in models], since=since)
    names = titles()
    matching = [model for model in models if _matches(model, search, names)]
    wanted = State(state) if state in states.FILTERS else None
    shown = [each for each in matching if wanted is None or states.in_filter(each, wanted)]
    return Listing(
        rows=_rows(shown, names, usage=usage, since=since, now=now),
        filters=_filters(matching, chosen=wanted),
        summary=_summary(team, models, usage=list(usage.values()), since=since),
        search=search,
        state=wanted or "",
    )


def titles() -> dict[str, str]:
    """The catalogue's titles by the image that a revision stores."""
    return {entry.image: entry.title for entry in catalogue.entries()}


def what_runs(revision: Revision | None, *, titles: dict[str, str]) -> str:
    """The catalogue entry's title, or the image."""
    return titles.get(revision.image, revision.image) if revision else "nothing yet"


def _matches(model: HostedModel, search: str, titles: dict[str, str]) -> bool:
    runs = what_runs(model.revision, titles=titles)
    text = f"{model.endpoint} {model.description} {runs}".lower()
    return all(word in text for word in search.lower().split())


def _rows(
    models: list[HostedModel],
    titles: dict[str, str],
    *,
    usage: dict[int, Usage],
    since: datetime,
    now: datetime,
) -> list[Row]:
    ids = [model.pk for model in models]
    series = metering.series_of_many(ids, since=since, until=now, bucket_seconds=HALF_HOUR)
    spans = queries.spans_of_many(models, since=since, until=now)
    canaries = queries.canaries(models)
    return [
        Row(
            model=model,
            state=states.view(model, now=now),
            runs=what_runs(model.revision, titles=titles),
            usage=usage[model.pk],
            bars=sparkline.bars(series[model.pk]),
            ribbon=ribbon.build(spans[model.pk], since=since, until=now),
            canary=canaries.get(model.pk),
        )
        for model in models
    ]


def _filters(models: list[HostedModel], *, chosen: State | None) -> list[Filter]:
    every = [Filter("", "All", len(models), chosen is None)]
    return every + [
        Filter(
            name=state.value,
            word=states.LOOKS[state].word,
            count=sum(states.in_filter(model, state) for model in models),
            chosen=state == chosen,
        )
        for state in states.FILTERS
    ]


def _summary(
    team: Team, models: list[HostedModel], *, usage: list[Usage], since: datetime
) -> Summary:
    wakes = queries.wake_seconds(team, since=since)
    return Summary(
        usage=Usage(sum(each.requests for each in usage), sum(each.errors for each in usage)),
        models=len(models),
        awake=sum(states.in_filter(model, State.AWAKE) for model in models),
        wakes=len(wakes),
        median_wake=times.lasting(median(wakes)) if wakes else "–",
    )
