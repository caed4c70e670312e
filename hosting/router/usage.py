"""What is written down of a request: its id and its line in the spool. Pure but for the randomness.

The line is the one `wire.UsageEvent.to_line` makes; building the event first would cost more than
all else the router does for a request. A test holds the two together.
"""

import secrets
from typing import Final
from zlib import crc32

from hosting.wire import Outcome

_COUNTER_BITS: Final = 48
_COUNTER: Final = (1 << 48) - 1
_HEX: Final = [b"%02x" % number for number in range(256)]
_OK: Final = Outcome.OK
_COUNTED: Final = b"\t1"
_NOT_COUNTED: Final = b"\t0"
_crc32: Final = crc32  # compiled, a constant is at hand where a global is looked up


class RequestIds:
    """Mints UUIDv7: the millisecond, then what tells this process from all others, then a count."""

    def __init__(self) -> None:
        self._era = -1  # of about a minute
        self._begin = b""
        self._marks = b"-7%03x-%04x-" % (secrets.randbits(12), 0x8000 | secrets.randbits(14))
        self._count = secrets.randbits(_COUNTER_BITS - 1)
        self._end = self._counted()

    def mint(self, *, now: float) -> bytes:
        """A new id, as text; `now` in unix seconds."""
        millisecond = int(now * 1000)
        era = millisecond >> 16
        if era != self._era:
            self._era = era
            self._begin = b"%08x-" % era
        self._count += 1
        last = self._count & 0xFF
        if not last:
            self._end = self._counted()
        return b"%b%b%b%b%b" % (
            self._begin, _HEX[millisecond >> 8 & 0xFF], _HEX[millisecond & 0xFF], self._end,
            _HEX[last],
        )  # fmt: skip

    def _counted(self) -> bytes:
        """The end of an id, without the last byte of the count."""
        return b"%b%010x" % (self._marks, (self._count & _COUNTER) >> 8)


class Begun:
    """What is known of a line before the answer, made while the model works.

    Beside it stands the line as it nearly always goes on, with its sum so far.
    """

    __slots__ = ("after", "before", "likely", "likely_counted", "likely_sum")

    def __init__(self, before: bytes, after: bytes, *, counted: bool) -> None:
        self.before = before  # up to the status
        self.after = after  # what follows on whether it counts, up to how long the model took
        self.likely_counted = counted
        self.likely = _text(before, 200, _OK, counted, after)
        self.likely_sum = _crc32(self.likely)


def begin_line(
    *,
    request_id: bytes,
    owners: bytes,  # of `Endpoint`: model, team and revision
    token_id: int,
    route: bytes,
    method: bytes,
    counts: bool,  # if it is answered with 200
    cold: bool,
    arrived_at: float,
    held_ms: int,
) -> Begun:
    """Write down what is known before the answer."""
    moment = b"%d" % int(arrived_at * 1_000_000)
    return Begun(
        b"1\t%b\t%b\t%d\t%b\t%b\t" % (request_id, owners, token_id, route, method),
        b"%b\t%b.%b\t%d\t" % (b"\t1" if cold else b"\t0", moment[:-6], moment[-6:], held_ms),
        counted=counts,
    )


def spool_line(
    begun: Begun,
    *,
    status: int,
    outcome: str,
    counted: bool,
    model_ms: int,
    bytes_in: int,
    bytes_out: int,
) -> bytes:
    """The whole line."""
    if status == 200 and outcome == _OK and counted == begun.likely_counted:
        text, sum_ = begun.likely, begun.likely_sum
    else:
        text = _text(begun.before, status, outcome, counted, begun.after)
        sum_ = _crc32(text)
    rest = b"%d\t%d\t%d\t" % (model_ms, bytes_in, bytes_out)
    sum_ = _crc32(rest, sum_)
    return b"%b%b%b%b%b%b\n" % (
        text, rest, _HEX[sum_ >> 24], _HEX[sum_ >> 16 & 0xFF], _HEX[sum_ >> 8 & 0xFF],
        _HEX[sum_ & 0xFF],
    )  # fmt: skip


def _text(before: bytes, status: int, outcome: str, counted: bool, after: bytes) -> bytes:
    mark = _COUNTED if counted else _NOT_COUNTED
    return b"%b%d\t%b%b%b" % (before, status, outcome.encode(), mark, after)
