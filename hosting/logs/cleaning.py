"""A line as it can be shown anywhere: no colours, no controls, no secrets. Pure."""

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

from accounts.secrets import SECRET_PATTERN

LONGEST_LINE = 4_000  # characters
MASK = "••••••"
SHORTEST_MASKED = 4  # a secret shorter than this is no secret, and masking it would hurt every line

# CSI with its parameters (colours, cursor), OSC up to its end (titles, links), other escapes.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]|\x1b"
)
# Controls but the tab, and what would turn the direction of the text around it.
_HIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str, *, secrets: "Secrets") -> str:
    """What a terminal would show of the line, without the secrets in it, and not too much of it."""
    text = _ESCAPES.sub("", text).rstrip("\r")
    text = text.rpartition("\r")[2]  # a progress bar, as it was last drawn
    text = secrets.mask(_HIDDEN.sub("", text))
    if len(text) > LONGEST_LINE:
        return f"{text[:LONGEST_LINE]}… ({len(text) - LONGEST_LINE:,} characters more)"
    return text


class Secrets:
    """Values that must not be seen, however they are written: plain, in a URL or in base64."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        found = {form for value in values for form in _forms(value)}
        # The longest first: one secret may be part of another.
        parts = [re.escape(form) for form in sorted(found, key=len, reverse=True)]
        self._pattern = re.compile("|".join([*parts, SECRET_PATTERN.pattern]))

    def mask(self, text: str) -> str:
        """The text without them. Tokens and API keys of this platform are always masked."""
        return self._pattern.sub(MASK, text)


class Withheld(Secrets):
    """For when the secrets can't be read: any line might hold one."""

    def mask(self, text: str) -> str:
        """Nothing of the text."""
        return "(withheld: this model's secrets can't be read, so they can't be masked)"


def _forms(value: str) -> Iterable[str]:
    """A line is masked by itself: a secret of several lines is seldom printed in one."""
    for line in value.splitlines():
        line = line.strip()
        if len(line) >= SHORTEST_MASKED:
            yield line
            yield quote(line, safe="")
            yield base64.b64encode(line.encode()).decode().rstrip("=")
    if len(value) >= SHORTEST_MASKED:
        yield base64.b64encode(value.encode()).decode().rstrip("=")
