"""What other idle timeouts would have cost and spared: replays when a model was called. Pure.

A model is taken to be awake from a call until its idle timeout after the end of the last one; for a
while after that it is paused, then stopped. The time that waking takes is left out of being awake.
So every longer timeout costs at least as much and spares at least as many starts, whatever the
calls.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One call, or several that can't be told apart. Times are unix seconds."""

    start: float
    end: float
    callers: int = 1


@dataclass(frozen=True, slots=True)
class Comeback:
    """How long a model takes to be awake again, and how long it is paused before it is stopped."""

    cold_seconds: float
    resume_seconds: float
    paused_for_seconds: float  # 0: it is stopped at once


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a timeout would have come to."""

    idle_timeout_seconds: float | None  # None: it never sleeps
    awake_seconds: float = 0.0
    cold_starts: int = 0
    resumes: int = 0  # from being paused
    waited: int = 0  # callers who met it asleep or waking
    wait_seconds: float = 0.0  # all of them together


@dataclass(slots=True)
class _Stay:
    """A stretch of being awake: its calls by their start, and when the last of them ended."""

    calls: list[Call]
    quiet_from: float
    asleep_for: float  # before it

    @property
    def start(self) -> float:
        return self.calls[0].start


def replay(
    calls: Iterable[Call],
    *,
    idle_timeout_seconds: float | None,
    comeback: Comeback,
    since: float,
    until: float,
) -> Outcome:
    """Replay the calls, in any order, of a window that the model enters asleep."""
    if idle_timeout_seconds is None:
        return Outcome(None, awake_seconds=until - since)
    stays = _stays(calls, idle_timeout_seconds, since=since, until=until)
    awake = 0.0
    resumes = 0
    waits: list[tuple[int, float]] = []
    for stay in stays:
        awake += min(stay.quiet_from + idle_timeout_seconds, until) - stay.start
        paused = stay.asleep_for <= comeback.paused_for_seconds
        resumes += paused
        takes = comeback.resume_seconds if paused else comeback.cold_seconds
        waits += _waits(stay.calls, ready_at=stay.start + takes)
    return Outcome(
        idle_timeout_seconds,
        awake_seconds=awake,
        cold_starts=len(stays) - resumes,
        resumes=resumes,
        waited=sum(callers for callers, _ in waits),
        wait_seconds=sum(callers * seconds for callers, seconds in waits),
    )


def _stays(calls: Iterable[Call], timeout: float, *, since: float, until: float) -> list[_Stay]:
    stays: list[_Stay] = []
    sleeps_from = float("-inf")
    for call in sorted(calls, key=lambda each: each.start):
        if not since <= call.start < until:
            continue
        if call.start > sleeps_from:
            stays.append(_Stay([call], call.end, asleep_for=call.start - sleeps_from))
        else:
            stays[-1].calls.append(call)
            stays[-1].quiet_from = max(stays[-1].quiet_from, call.end)
        sleeps_from = stays[-1].quiet_from + timeout
    return stays


def _waits(calls: Sequence[Call], *, ready_at: float) -> list[tuple[int, float]]:
    """How many waited for how long: those who came before it was ready."""
    found = []
    for call in calls:
        if call.start >= ready_at:
            break
        found.append((call.callers, ready_at - call.start))
    return found
