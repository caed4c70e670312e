"""Reading a request's body that comes in chunks. One of known length is only counted."""

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from hosting.router import answers
from hosting.router.request_head import Refused

_MOST_FRAMING: Final = 32 * 1024
_FRAMING_PER_BYTE: Final = 8  # a body in chunks of one byte each is odd, but it is a body


class Chunked:
    """What llhttp makes of a chunked request body. Trailers are dropped with it."""

    __slots__ = ("_framing", "_parser", "_payload", "complete", "excess", "pieces")

    def __init__(self, head: bytes) -> None:
        self.pieces: list[bytes] = []
        self.complete = False
        self.excess = False  # something follows; where it begins llhttp doesn't say
        self._payload = 0
        self._framing = 0
        self._parser = HttpRequestParser(self)
        try:
            self._parser.feed_data(head)
        except HttpParserUpgrade:
            raise Refused(answers.BAD_REQUEST) from None

    def on_message_begin(self) -> None:
        self.excess = self.complete

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        self.complete = True

    def feed(self, data: bytes) -> bytes:
        """The payload in these bytes; Refused when they are no chunks."""
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if not self.complete:
                raise Refused(answers.BAD_REQUEST) from None
            self.excess = True
        payload = b"".join(self.pieces)
        self.pieces.clear()
        self._payload += len(payload)
        self._framing += len(data) - len(payload)
        if self._framing > _MOST_FRAMING + _FRAMING_PER_BYTE * self._payload:
            raise Refused(answers.BAD_REQUEST)  # extensions or trailers without end
        return payload
