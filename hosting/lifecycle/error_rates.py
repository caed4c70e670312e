"""Whether a revision fails more than the one before it. Pure."""

import math
from dataclasses import dataclass

LEAST_REQUESTS = 20  # fewer say nothing
MARGIN = 0.05  # by so much the rate must be higher, with certainty
_SURE = 2.58  # standard deviations: one false alarm in two hundred


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests that went to a revision, and those it failed: a 5xx, a death, a time-out."""

    requests: int = 0
    errors: int = 0

    @property
    def rate(self) -> float:
        """The failed share, from 0 to 1; 0 for no requests."""
        return self.errors / self.requests if self.requests else 0.0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.requests + other.requests, self.errors + other.errors)


def jumped(new: Tally, before: Tally) -> bool:
    """Whether the new revision's error rate is surely above that of the one before.

    Of the new one the lower end of the interval (Wilson's) counts, so few requests must fail
    clearly, many may fail by less. Without requests before, a rate of 0 is assumed.
    """
    return new.requests >= LEAST_REQUESTS and _at_least(new) > before.rate + MARGIN


def _at_least(tally: Tally) -> float:
    """The lower end of the interval in which the true rate lies."""
    n, rate, z = tally.requests, tally.rate, _SURE
    middle = rate + z * z / (2 * n)
    spread = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n)
