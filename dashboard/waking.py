"""How far a wake is: the steps in order, one of them under way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard import times
from hosting import queries
from hosting.models import Build, HostedModel, Replica
from hosting.models.build import BuildStatus


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a wake."""

    words: str
    done: bool = False
    now: bool = False


@dataclass(frozen=True, slots=True)
class Wake:
    """A wake under way."""

    steps: Sequence[Step]
    build: Build | None  # only while it runs
    passed: str

    @property
    def percent(self) -> int:
        """How far the build is."""
        if self.build is None or not self.build.steps:
            return 0
        return round(100 * max(self.build.step - 1, 0) / self.build.steps)


def view(model: HostedModel, *, now: datetime) -> Wake:
    """Look at the build and the replica of a model that is awakening."""
    build = queries.build_of(model.revision)
    building = build is not None and build.status in (BuildStatus.WAITING, BuildStatus.RUNNING)
    return Wake(
        steps=_steps(model, build, queries.current_replica(model), building=building),
        build=build if building else None,
        passed=times.lasting(max(0, int((now - model.state_changed_at).total_seconds()))),
    )


def _steps(
    model: HostedModel, build: Build | None, replica: Replica | None, *, building: bool
) -> list[Step]:
    started = replica is not None and replica.started_at is not None
    words = ["Start its container", "Wait until the model answers"]
    done = [started, False]
    if model.wait_reason:
        words.insert(0, f"Wait for room. {model.wait_reason}")
        done.insert(0, False)
    if build is not None:
        words.insert(0, "Build its image, once")
        done.insert(0, not building)
    current = done.index(False)
    return [
        Step(text, done=index < current, now=index == current) for index, text in enumerate(words)
    ]
