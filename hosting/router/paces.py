"""Rate limits: how long a request waits until its model and its token may take one more. Pure.

Each limit is a bucket that holds as many requests as the limit allows in its time, and fills again
evenly. All routers together keep a limit: each process has its share of the bucket.
"""

from hosting.wire import Rate


class Pace:
    """One limit as this process keeps it: by the moment at which its bucket is full again."""

    __slots__ = ("_full_at", "rate")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._full_at = 0.0

    def wait(self, *, now: float, processes: int) -> float:
        """Seconds until one more request may go; 0: it may go now."""
        each = self._each(processes)
        bucket = max(self.rate.seconds, each)  # a share below one request still holds one
        return max(0.0, self._full_at - now + each - bucket)

    def take(self, *, now: float, processes: int) -> None:
        """Spend one request, ahead of time if need be."""
        self._full_at = max(self._full_at, now) + self._each(processes)

    def _each(self, processes: int) -> float:
        return self.rate.seconds * processes / self.rate.requests


class Paces:
    """The limits of one model: its own, and those of its tokens by id."""

    __slots__ = ("_model", "_tokens")

    def __init__(self) -> None:
        self._model: Pace | None = None
        self._tokens: dict[int, Pace] = {}

    def apply(self, model: Rate | None, tokens: dict[int, Rate]) -> None:
        """Take what a route says; a limit that stays goes on where it was."""
        self._model = _kept(self._model, model)
        known = self._tokens
        self._tokens = {
            token_id: pace
            for token_id, rate in tokens.items()
            if (pace := _kept(known.get(token_id), rate))
        }

    def __bool__(self) -> bool:
        return self._model is not None or bool(self._tokens)

    def wait(self, token_id: int, *, now: float, processes: int) -> float:
        """Seconds until a request with this token may go; 0: it may go now."""
        return max(
            (pace.wait(now=now, processes=processes) for pace in self._of(token_id)), default=0.0
        )

    def take(self, token_id: int, *, now: float, processes: int) -> None:
        """Spend one request of this token."""
        for pace in self._of(token_id):
            pace.take(now=now, processes=processes)

    def _of(self, token_id: int) -> list[Pace]:
        return [pace for pace in (self._model, self._tokens.get(token_id)) if pace is not None]


def _kept(known: Pace | None, rate: Rate | None) -> Pace | None:
    if rate is None:
        return None
    return known if known is not None and known.rate == rate else Pace(rate)
