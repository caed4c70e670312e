"""What is written down of a request: its id and its line in the spool. Pure but for the randomness.

The line is the one `wire.UsageEvent.to_line` makes; building the event first would cost more than
all else the router does for a request. A test holds the two together.
"""

import secrets
from typing import Final
from zlib import crc32

_COUNTER_BITS: Final = 48
_COUNTER: Final = (1 << 48) - 1
_ABOVE: Final = 1 << 48  # keeps the zeros in front; compiled, a format code costs five times that


class RequestIds:
    """Mints UUIDv7: the millisecond, then what tells this process from all others, then a count."""

    def __init__(self) -> None:
        self._millisecond = -1
        self._prefix = ""
        self._marks = f"7{secrets.randbits(12):03x}-{0x8000 | secrets.randbits(14):04x}-"
        self._count = secrets.randbits(_COUNTER_BITS - 1)

    def mint(self, *, now: float) -> str:
        """A new id; `now` in unix seconds."""
        millisecond = int(now * 1000)
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            digits = f"{millisecond:012x}"
            self._prefix = f"{digits[:8]}-{digits[8:]}-{self._marks}"
        self._count += 1
        return f"{self._prefix}{hex(self._count & _COUNTER | _ABOVE)[3:]}"


def spool_line(
    *,
    request_id: str,
    owners: str,  # of `Endpoint`: model, team and revision
    token_id: int,
    route: str,
    method: str,
    status: int,
    outcome: str,
    counted: bool,
    cold: bool,
    arrived_at: float,
    held_ms: int,
    model_ms: int,
    bytes_in: int,
    bytes_out: int,
) -> bytes:
    """One line of the spool."""
    # Format codes cost more than all of the rest: only bare braces here.
    moment = str(int(arrived_at * 1_000_000))
    text = (
        f"1\t{request_id}\t{owners}\t{token_id}\t{route}\t{method}\t{status}\t{outcome}"
        f"\t{1 if counted else 0}\t{1 if cold else 0}\t{moment[:-6]}.{moment[-6:]}"
        f"\t{held_ms}\t{model_ms}\t{bytes_in}"
        f"\t{bytes_out}\t"
    ).encode()
    return b"%b%b\n" % (text, hex(crc32(text) | 1 << 32)[3:].encode())  # eight digits
