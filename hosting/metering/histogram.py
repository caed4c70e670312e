"""Times in buckets, four per doubling: bucket b begins at 2**(b/4) - 1 milliseconds. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Times:
    """Percentiles in milliseconds; None where nothing was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Times":
        """The exact percentiles of a few values."""
        if not values:
            return cls()
        ordered = sorted(values)
        return cls(*(ordered[_rank(share, len(ordered)) - 1] for share in (0.50, 0.95, 0.99)))


def times(cells: Mapping[int, int]) -> Times:
    """The percentiles of a histogram: requests per bucket."""
    total = sum(cells.values())
    if not total:
        return Times()
    return Times(*(_percentile(cells, _rank(share, total)) for share in (0.50, 0.95, 0.99)))


def start_of(bucket: int) -> float:
    """The shortest time of a bucket."""
    return float(2.0 ** (bucket / 4)) - 1


def _percentile(cells: Mapping[int, int], rank: int) -> float:
    """The time of the request with this rank, as if a bucket's requests lay evenly in it."""
    before = 0
    for bucket in sorted(cells):
        if before + cells[bucket] >= rank:
            low, high = start_of(bucket), start_of(bucket + 1)
            return low + (high - low) * (rank - before - 0.5) / cells[bucket]
        before += cells[bucket]
    raise AssertionError("the rank lies beyond the histogram")


def _rank(share: float, total: int) -> int:
    return max(1, min(total, round(share * total + 0.5)))
