"""Reading the head of a model's answer. Pure: bytes in, a `Response` or ValueError out."""

from collections.abc import Callable
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from hosting.router.headers import (
    RESPONSE_LINES,
    Fate,
    length_of,
    tokens_of,
    value_at,
    value_of,
    without,
    without_domain,
)


class Response:
    """One answer head, as read. `lines` are the fields that go on to the caller, as they came."""

    __slots__ = (
        "chunked",
        "connection",
        "content_type",
        "keep_alive",
        "length",
        "lines",
        "request_id",
        "status",
        "upgrade",
        "websocket",
    )

    def __init__(self, status: int, keep_alive: bool) -> None:
        self.status = status
        self.keep_alive = keep_alive
        self.lines: list[bytes] = []
        self.length = -1  # not said
        self.chunked = False
        self.connection: list[bytes] | None = None
        self.content_type: bytes | None = None
        self.request_id = False
        self.upgrade: bytes | None = None
        self.websocket: tuple[bytes, ...] = ()

    @property
    def bodiless(self) -> bool:
        """Whether an answer of this status never has a body."""
        return self.status < 200 or self.status == 204 or self.status == 304


class _Heads:
    """Counts the heads llhttp saw. Exactly one may be in what we took for one."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = 0

    def on_headers_complete(self) -> None:
        self.seen += 1


_heads: Final = _Heads()


def read(head: bytes) -> Response:
    """Read one head, up to and with its blank line; ValueError when it is not one."""
    _heads.seen = 0
    try:
        HttpResponseParser(_heads).feed_data(head)
    except HttpParserUpgrade:
        pass
    except HttpParserError as error:
        raise ValueError(str(error)) from None
    lines = head.split(b"\r\n")
    start = lines[0]
    if _heads.seen != 1 or start[:7] != b"HTTP/1.":
        raise ValueError("not one head")
    response = Response(int(start[9:12]), start[7:8] == b"1")
    passed = response.lines
    known = RESPONSE_LINES.lines
    spelled = RESPONSE_LINES.spellings
    for line in lines[1:-2]:
        # Two that differ from answer to answer are known by sight: nothing to look up.
        if line.startswith(b"Date:"):
            passed.append(line)
        elif line.startswith(b"Content-Length:"):
            _length(response, line)
        else:
            fate = known.get(line)
            if fate is None:
                fate = spelled.get(line[: line.find(b":")]) or RESPONSE_LINES.sort(line)
            if fate == Fate.PASS:
                passed.append(line)
            elif fate != Fate.DROP:
                _read_field(response, fate, line)
    if response.connection is not None:
        _hop_by_hop(response, response.connection)
    return response


def _hop_by_hop(response: Response, named: list[bytes]) -> None:
    if b"close" in named:
        response.keep_alive = False
    elif b"keep-alive" in named:
        response.keep_alive = True
    others = [each for each in named if each not in (b"close", b"keep-alive", b"upgrade")]
    if others:
        response.lines = without(response.lines, others)


def _read_field(response: Response, fate: int, line: bytes) -> None:
    # What nearly every answer has is spelled out: compiled, these are plain calls.
    if fate == Fate.CONTENT_TYPE:
        _content_type(response, line)
    elif fate == Fate.CONNECTION:
        _connection(response, line)
    else:
        _OTHERS[fate](response, line)


def _length(response: Response, line: bytes) -> None:
    response.length = length_of(value_at(line, 15))
    if response.length < 0:
        raise ValueError("not a length")


def _coding(response: Response, line: bytes) -> None:
    if response.chunked or value_of(line).lower() != b"chunked":
        raise ValueError("an unknown transfer coding")
    response.chunked = True


def _connection(response: Response, line: bytes) -> None:
    if value_at(line, 11).lower() == b"keep-alive":
        response.keep_alive = True
    else:
        response.connection = (response.connection or []) + tokens_of(value_of(line))


def _content_type(response: Response, line: bytes) -> None:
    if response.content_type is None:
        response.content_type = value_at(line, 13)


def _set_cookie(response: Response, line: bytes) -> None:
    response.lines.append(b"Set-Cookie: " + without_domain(value_of(line)))


def _request_id(response: Response, line: bytes) -> None:
    if not response.request_id:
        response.request_id = True
        response.lines.append(line)


def _upgrade(response: Response, line: bytes) -> None:
    response.upgrade = value_of(line).lower()


def _websocket(response: Response, line: bytes) -> None:
    response.websocket = (*response.websocket, line)


_OTHERS: Final[dict[int, Callable[[Response, bytes], None]]] = {
    Fate.LENGTH: _length,
    Fate.CODING: _coding,
    Fate.SET_COOKIE: _set_cookie,
    Fate.REQUEST_ID: _request_id,
    Fate.UPGRADE: _upgrade,
    Fate.WEBSOCKET: _websocket,
}
