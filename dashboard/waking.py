"""A wake under way: who asked for it, how far it is, what it waits for and how long it may take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard import times, waterfall
from dashboard.waterfall import Bar
from hosting import queries
from hosting.lifecycle import wakes
from hosting.models import Build, HostedModel
from hosting.models.build import BuildStatus


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A wake under way."""

    who: str
    passed: str
    expected: str  # empty before the first wake, and while nobody can know
    bars: Sequence[Bar]
    build: Build | None  # only while it runs

    @property
    def percent(self) -> int:
        """How far the build is."""
        if self.build is None or not self.build.steps:
            return 0
        return round(100 * max(self.build.step - 1, 0) / self.build.steps)


def view(model: HostedModel, *, now: datetime) -> UnderWay:
    """Look at the build and the replica of a model that is awakening."""
    wake = wakes.under_way(model, replica=queries.current_replica(model), now=now)
    build = queries.build_of(model.revision)
    building = build is not None and build.status in (BuildStatus.WAITING, BuildStatus.RUNNING)
    usual = model.revision.wake_seconds if model.revision else None
    passed = max(0.0, (now - model.state_changed_at).total_seconds())
    known = usual is not None and not building and not model.wait_reason and not wake.resumed
    return UnderWay(
        who=waterfall.who(wake),
        passed=times.lasting(int(passed)),
        expected=_expected(usual, passed) if known and usual is not None else "",
        bars=waterfall.live_bars(wake, usual=usual),
        build=build if building else None,
    )


def _expected(usual: float, passed: float) -> str:
    if passed > usual:
        return f"longer than the usual {times.lasting(usual)}"
    return f"about {times.lasting(max(1, round(usual - passed)))} to go"
