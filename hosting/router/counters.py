"""What a router process counts for `/metrics`."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Plain numbers, added to on the hot path, read when somebody asks."""

    connections: int = 0
    nudges: int = 0
    unwritten: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
