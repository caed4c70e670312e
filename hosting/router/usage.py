"""What is written down of a request: its id and its line in the spool. Pure but for the randomness.

The line is the one `wire.UsageEvent.to_line` makes; building the event first would cost more than
all else the router does for a request. A test holds the two together.
"""

import secrets
from typing import Final
from zlib import crc32

_COUNTER_BITS: Final = 48
_COUNTER: Final = (1 << 48) - 1
_HEX: Final = [b"%02x" % number for number in range(256)]
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


def begin_line(
    *,
    request_id: bytes,
    owners: bytes,  # of `Endpoint`: model, team and revision
    token_id: int,
    route: bytes,
    method: bytes,
    cold: bool,
    arrived_at: float,
    held_ms: int,
) -> tuple[bytes, bytes]:
    """What is known of a line before the answer, made while the model works.

    It ends before the status; then come the outcome and whether it counts, and this goes on.
    """
    moment = b"%d" % int(arrived_at * 1_000_000)
    return (
        b"1\t%b\t%b\t%d\t%b\t%b\t" % (request_id, owners, token_id, route, method),
        b"%b\t%b.%b\t%d\t" % (b"\t1" if cold else b"\t0", moment[:-6], moment[-6:], held_ms),
    )


def spool_line(
    begun: tuple[bytes, bytes],
    *,
    status: int,
    outcome: str,
    counted: bool,
    model_ms: int,
    bytes_in: int,
    bytes_out: int,
) -> bytes:
    """The whole line."""
    start, middle = begun
    text = b"%b%d\t%b%b%b%d\t%d\t%d\t" % (
        start, status, outcome.encode(), b"\t1" if counted else b"\t0", middle, model_ms,
        bytes_in, bytes_out,
    )  # fmt: skip
    sum_ = _crc32(text)
    return b"%b%b%b%b%b\n" % (
        text, _HEX[sum_ >> 24], _HEX[sum_ >> 16 & 0xFF], _HEX[sum_ >> 8 & 0xFF],
        _HEX[sum_ & 0xFF],
    )  # fmt: skip
