"""Reading the head of a model's answer. Pure: bytes in, a `Response` or ValueError out."""

from collections.abc import Callable
from typing import Final

from hosting.router.headers import (
    KEEP_ALIVE,
    RESPONSE_LINES,
    Fate,
    length_of,
    tokens_of,
    value_at,
    value_of,
    without,
    without_domain,
)
from hosting.router.llhttp import RESPONSES


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


_ZERO: Final = 0x30
_ONE: Final = 0x31


def read(head: bytes) -> Response:
    """Read one head, up to and with its blank line; ValueError when it is not one."""
    if not RESPONSES.accept(head):
        raise ValueError("not one head")
    lines = head.split(b"\r\n")
    start = lines[0]
    if not start.startswith(b"HTTP/1."):
        raise ValueError("not a version of ours")
    response = Response(_status(start), start[7] == _ONE)
    passed = response.lines
    known = RESPONSE_LINES.lines
    spelled = RESPONSE_LINES.spellings
    for at in range(1, len(lines) - 2):
        line = lines[at]
        if _known_by_sight(response, line):
            continue
        fate = known.get(line)
        if fate is None:
            fate = spelled.get(line[: line.find(b":")]) or RESPONSE_LINES.sort(line)
        if fate == Fate.PASS:
            passed.append(line)
        elif fate != Fate.DROP:
            _READERS[fate](response, line)
    if response.connection is not None:
        _hop_by_hop(response, response.connection)
    return response


def _known_by_sight(response: Response, line: bytes) -> bool:
    """Read a line of those that nearly every answer has: nothing to look up."""
    if line.startswith(b"Date:") or line.startswith(b"Server:"):  # noqa: PIE810
        response.lines.append(line)
    elif line.startswith(b"Content-Type:"):
        _content_type(response, line)
    elif line.startswith(b"Content-Length:"):
        _length(response, line)
    elif line.startswith(b"X-Request-Id:"):
        _request_id(response, line)
    elif line == KEEP_ALIVE:
        response.keep_alive = True
    else:
        return False
    return True


def _status(start: bytes) -> int:
    """The number in a status line; llhttp has seen to it that three digits stand there."""
    return (start[9] - _ZERO) * 100 + (start[10] - _ZERO) * 10 + start[11] - _ZERO


def _hop_by_hop(response: Response, named: list[bytes]) -> None:
    if b"close" in named:
        response.keep_alive = False
    elif b"keep-alive" in named:
        response.keep_alive = True
    others = [each for each in named if each not in (b"close", b"keep-alive", b"upgrade")]
    if others:
        response.lines = without(response.lines, others)


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


_READERS: Final[dict[int, Callable[[Response, bytes], None]]] = {
    Fate.CONTENT_TYPE: _content_type,
    Fate.CONNECTION: _connection,
    Fate.LENGTH: _length,
    Fate.CODING: _coding,
    Fate.SET_COOKIE: _set_cookie,
    Fate.REQUEST_ID: _request_id,
    Fate.UPGRADE: _upgrade,
    Fate.WEBSOCKET: _websocket,
}
