"""Memory, CPUs and GPUs as pages show them: what is held, of how much."""

import math
from dataclasses import dataclass

from dashboard.templatetags.dormouse import memory
from hosting.lifecycle.placing import Amount


@dataclass(frozen=True, slots=True)
class Row:
    """One of the three; `percent` only where something limits it."""

    name: str
    held: str
    limit: str
    percent: int | None

    @property
    def full(self) -> bool:
        """Whether nothing more fits."""
        return self.percent is not None and self.percent >= 100


def rows(held: Amount, limit: Amount) -> list[Row]:
    """What is held of a limit."""
    return [
        Row("Memory", _memory(held.memory_mb), _memory(limit.memory_mb), _share(held, limit, 0)),
        Row("CPUs", _number(held.cpus), _number(limit.cpus), _share(held, limit, 1)),
        Row("GPUs", _number(held.gpus), _number(limit.gpus), _share(held, limit, 2)),
    ]


def amounts(held: Amount) -> list[str]:
    """All three in words."""
    return [_memory(held.memory_mb), _number(held.cpus), _number(held.gpus)]


def _share(held: Amount, limit: Amount, which: int) -> int | None:
    has, most = ((each.memory_mb, each.cpus, each.gpus)[which] for each in (held, limit))
    if math.isinf(most):
        return None
    return min(100, round(100 * has / most)) if most else 100 if has else 0


def _memory(megabytes: float) -> str:
    return "no limit" if math.isinf(megabytes) else memory(round(megabytes))


def _number(value: float) -> str:
    return "no limit" if math.isinf(value) else f"{value:g}"
