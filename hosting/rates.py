"""Rate limits as people write them: “10/second”, “600/minute”, and nothing for no limit. Pure."""

import re

from hosting.errors import InvalidValue
from hosting.wire import Rate

LONGEST = 20  # characters of a limit as it is stored
MOST_REQUESTS = 1_000_000
_WRITTEN = re.compile(r"(\d{1,7})\s*(?:/|per)\s*(s|sec|seconds?|m|min|minutes?)", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60}


def read(text: str) -> Rate | None:
    """The rate a text asks for; None: no limit. Raises InvalidValue."""
    text = text.strip()
    if not text:
        return None
    match = _WRITTEN.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= MOST_REQUESTS:
        raise InvalidValue(
            "Write a limit as “10/second” or “600/minute”, or nothing for none.",
            field="rate_limit",
        )
    return Rate(requests=int(match[1]), seconds=_UNITS[match[2][0].lower()])


def spelled(text: str) -> str:
    """The same limit in the one spelling that is stored. Raises InvalidValue."""
    rate = read(text)
    if rate is None:
        return ""
    return f"{rate.requests}/{'second' if rate.seconds == 1 else 'minute'}"
