"""The sleep simulator's outcomes in words, compared with how the model sleeps now. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard import times
from hosting.metering.simulator import Outcome
from hosting.metering.sleeping import Simulation

NEVER = "never"  # as the form sends it


@dataclass(frozen=True, slots=True)
class Line:
    """One timeout."""

    outcome: Outcome
    words: str
    value: str  # what the button sends
    width: float  # of the bar, of 1000
    chosen: bool
    compared: str


def lines(simulation: Simulation) -> list[Line]:
    """All outcomes, with what each would have changed."""
    whole = (simulation.until - simulation.since).total_seconds()
    return [
        Line(
            outcome=each,
            words=_words(each),
            value=NEVER
            if each.idle_timeout_seconds is None
            else f"{each.idle_timeout_seconds:.0f}",
            width=round(1000 * each.awake_seconds / whole, 1) if whole else 0.0,
            chosen=each is simulation.chosen,
            compared="" if each is simulation.chosen else _compared(each, simulation.chosen),
        )
        for each in simulation.outcomes
    ]


def _value(outcome: Outcome) -> str:
    seconds = outcome.idle_timeout_seconds
    return NEVER if seconds is None else f"{seconds:.0f}"


def _words(outcome: Outcome) -> str:
    seconds = outcome.idle_timeout_seconds
    return "Never" if seconds is None else times.lasting(seconds)


def _compared(other: Outcome, chosen: Outcome) -> str:
    """“Awake 19 h more, 12 fewer callers wait.”"""
    parts: Sequence[str] = [
        part
        for part in (
            _awake(other.awake_seconds - chosen.awake_seconds),
            _callers(other.waited - chosen.waited),
        )
        if part
    ]
    return ", ".join(parts) or "no difference"


def _awake(seconds: float) -> str:
    if abs(seconds) < times.MINUTE:
        return ""
    return f"{times.in_hours(abs(seconds))} {'more' if seconds > 0 else 'less'} awake"


def _callers(count: int) -> str:
    if not count:
        return ""
    who = "caller waits" if abs(count) == 1 else "callers wait"
    return f"{abs(count):,} {'more' if count > 0 else 'fewer'} {who}"
