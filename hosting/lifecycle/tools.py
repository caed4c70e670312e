"""What acting on the world takes, handed in by the tasks; the tests hand in their own."""

from dataclasses import dataclass

from hosting.lifecycle.clock import Clock
from hosting.lifecycle.readiness import Probe
from hosting.runtimes.base import Runtime


@dataclass(frozen=True, slots=True)
class Tools:
    """The engine, a way to ask a model whether it is ready, and the time."""

    runtime: Runtime
    probe: Probe
    clock: Clock
