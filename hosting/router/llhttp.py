"""llhttp's word on a head: these bytes are exactly one, strictly, or they are not.

Making a parser costs more than parsing a head with it. One that has seen a message to its end is
where a new one is; so it is kept for the next head, whosever that is. What it does not take, a new
one judges again.
"""

from collections.abc import Callable
from typing import Any, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, HttpResponseParser


class Heads:
    """Judges heads of one kind, and has a parser at hand."""

    __slots__ = ("_at_start", "_make", "_parser", "_seen")

    def __init__(self, make: Callable[["Heads"], Any]) -> None:
        self._make = make
        self._parser: Any = None
        self._at_start = False  # the parser has seen all of its last message
        self._seen = 0

    def on_headers_complete(self) -> None:
        self._seen += 1

    def on_message_complete(self) -> None:
        self._at_start = self._parser.should_keep_alive()

    def accept(self, head: bytes) -> bool:
        """Whether this is exactly one head, up to and with its blank line."""
        if self._at_start and self._takes(head):
            return True
        self._parser = self._make(self)
        return self._takes(head)

    def _takes(self, head: bytes) -> bool:
        self._seen = 0
        self._at_start = False
        try:
            self._parser.feed_data(head)
        except HttpParserUpgrade:  # whether what follows is HTTP is not llhttp's to say
            self._at_start = False
        except HttpParserError:
            self._at_start = False
            return False
        return self._seen == 1

    def end(self, body: bytes) -> None:
        """Show the parser all that follows the head just accepted, so that it can be kept."""
        if self._at_start:
            return
        try:
            self._parser.feed_data(body)
        except (HttpParserError, HttpParserUpgrade):
            self._at_start = False


REQUESTS: Final = Heads(HttpRequestParser)
RESPONSES: Final = Heads(HttpResponseParser)
