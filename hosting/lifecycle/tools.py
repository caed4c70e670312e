"""What acting on the world takes, handed in by the tasks; the tests hand in their own."""

from dataclasses import dataclass, field

from hosting.lifecycle import golden
from hosting.lifecycle.clock import Clock
from hosting.lifecycle.readiness import Probe
from hosting.runtimes.base import Runtime


@dataclass(frozen=True, slots=True)
class Tools:
    """The engine, ways to ask a model whether it is ready and what it answers, and the time."""

    runtime: Runtime
    probe: Probe
    clock: Clock
    ask: golden.Ask = field(default=golden.ask)
