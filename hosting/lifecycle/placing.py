"""Where a replica fits, and what would have to go for it: arithmetic, without rows or clock."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

_ROUNDING = 1e-6  # sums of fractions of a CPU
_LEAST_WAKE_SECONDS = 0.1  # none is for nothing


@dataclass(frozen=True, slots=True)
class Amount:
    """Memory in MiB, CPUs and GPUs; `math.inf` where nothing limits one of them."""

    memory_mb: float = 0
    cpus: float = 0
    gpus: float = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.memory_mb + other.memory_mb, self.cpus + other.cpus, self.gpus + other.gpus
        )

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(
            self.memory_mb - other.memory_mb, self.cpus - other.cpus, self.gpus - other.gpus
        )

    def fits_in(self, room: "Amount") -> bool:
        """Whether there is enough of each."""
        return not self.lacking(room)

    def lacking(self, room: "Amount") -> str:
        """The first thing there is too little of, in words; empty when it fits."""
        if self.memory_mb > room.memory_mb + _ROUNDING:
            return f"{self.memory_mb:,.0f} MiB of memory"
        if self.cpus > room.cpus + _ROUNDING:
            return f"{self.cpus:g} CPUs"
        if self.gpus > room.gpus + _ROUNDING:
            return f"{self.gpus:g} GPUs"
        return ""


UNLIMITED = Amount(math.inf, math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model nobody uses that could be stopped, and what that would free on one node."""

    model_id: int
    team_id: int
    node: str
    amount: Amount
    worth: float  # of keeping it
    awake: bool = False  # quiet, but not drowsy yet


@dataclass(frozen=True, slots=True)
class Shares:
    """How much memory each team holds, and what would be fair: the same for each."""

    memory_mb: float
    held: Mapping[int, float]

    def of_each(self, wanting: int) -> float:
        """The fair share among those who hold something or want to."""
        return self.memory_mb / len(self.held.keys() | {wanting})

    def spares(self, candidate: Candidate, *, wanting: int, need: Amount) -> bool:
        """Whether a team within its fair share keeps its model from one that is beyond its own."""
        if candidate.team_id == wanting:
            return False
        fair = self.of_each(wanting)
        greedy = self.held.get(wanting, 0) + need.memory_mb > fair
        return greedy and not self.is_over(candidate.team_id, wanting=wanting)

    def is_over(self, team_id: int, *, wanting: int) -> bool:
        """Whether a team holds more than its fair share."""
        return self.held.get(team_id, 0) > self.of_each(wanting)


def best(need: Amount, free: Mapping[str, Amount], *, at_home: Collection[str] = ()) -> str | None:
    """The node for it, of those where it fits: one that has its image, then that with most memory.

    `at_home`: where it has run before. GPUs are kept for who needs them.
    """
    fitting = [name for name, room in free.items() if need.fits_in(room)]

    def preference(name: str) -> tuple[bool, bool, float, str]:
        wasted = need.gpus == 0 and free[name].gpus > 0
        return (wasted, name not in at_home, -free[name].memory_mb, name)

    return min(fitting, key=preference, default=None)


def worth(*, wakes: int, window_seconds: float, quiet_seconds: float, wake_seconds: float) -> float:
    """What keeping a model saves: seconds of waiting per second that it is kept.

    Its next use is expected after its usual gap, or after as long as it is quiet already.
    """
    usual_gap = window_seconds / (wakes + 1)
    return max(wake_seconds, _LEAST_WAKE_SECONDS) / max(usual_gap, quiet_seconds, 1.0)


def in_order(candidates: Iterable[Candidate], shares: Shares, *, wanting: int) -> list[Candidate]:
    """Who goes first: drowsy before awake, teams beyond their share before others, then worth."""
    return sorted(
        candidates,
        key=lambda each: (
            each.awake,
            not shares.is_over(each.team_id, wanting=wanting),
            each.worth,
            each.model_id,
        ),
    )


def to_stop(
    need: Amount, *, coming: Amount, candidates: Sequence[Candidate]
) -> list[Candidate] | None:
    """The first few of `candidates` without which it fits; None when not even all of them help.

    `coming` is what is free or will be without doing anything.
    """
    chosen: list[Candidate] = []
    for candidate in candidates:
        if need.fits_in(coming):
            break
        chosen.append(candidate)
        coming += candidate.amount
    if not need.fits_in(coming):
        return None
    for candidate in reversed(chosen):  # spare those that a bigger one made superfluous
        if need.fits_in(coming - candidate.amount):
            chosen.remove(candidate)
            coming -= candidate.amount
    return chosen
