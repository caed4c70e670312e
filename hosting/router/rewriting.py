"""What must change in a model's answer on the three documented routes. Pure.

Their client dies without a Content-Type, takes 2xx only as JSON, and repeats 502 and 429 at once
and without end. So text becomes a JSON error of the same status, and those two become 503.
"""

import json
from typing import Final

from hosting.router import answers
from hosting.router.headers import JSON, foreign_cookies, without
from hosting.router.response_head import Response

_TEXT: Final = (b"text/plain", b"text/html")
_OF_THE_OLD_BODY: Final = [
    b"content-encoding", b"content-language", b"content-md5", b"content-range", b"etag",
    b"last-modified", b"accept-ranges", b"content-disposition", b"digest",
]  # fmt: skip


def public_status(status: int) -> int:
    """The status a caller of the documented routes gets."""
    return 503 if status in (429, 502) else status


def wanted(response: Response) -> bool:
    """Whether the body isn't what the client can read."""
    if response.bodiless:
        return False
    said = response.content_type
    if said == JSON:
        return False  # as most say: nothing to look at closely
    return said is None or said.lower().startswith(_TEXT)


def cookie_lines(cookie: bytes) -> list[bytes]:
    """The caller's cookies for the model: none of the dashboard's."""
    kept = foreign_cookies(cookie)
    return [b"Cookie: " + kept] if kept else []


class Rewriter:
    """Collects the text of an answer and makes JSON of it."""

    __slots__ = ("_coded", "_pieces", "_size", "lines", "status", "whole")

    def __init__(self, response: Response, *, status: int) -> None:
        self.status = status
        self._coded = any(line.lower().startswith(b"content-encoding:") for line in response.lines)
        self.lines = without(response.lines, [*_OF_THE_OLD_BODY, b"x-request-id"])
        if status != response.status:
            self.lines.append(b"Retry-After: 1")
        self.whole = True
        self._pieces: list[bytes] = []
        self._size = 0

    def take(self, data: bytes, *, most: int) -> bool:
        """Add to the text; True: it is long enough, the rest is not needed."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > most:
            self.whole = False
        return not self.whole

    def body(self, *, request_id: bytes) -> bytes:
        """JSON: the text itself where it is a JSON object, an error around it otherwise."""
        text = b"".join(self._pieces)
        if self._coded:
            message = f"The model answered {self.status} without JSON."
        elif self.whole and _is_json(text):
            return text
        else:
            message = text.decode("utf-8", "replace")
        return answers.error_body(
            status=self.status, code="model_answer", message=message, request_id=request_id
        )


def _is_json(text: bytes) -> bool:
    if text.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
