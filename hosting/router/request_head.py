"""Reading the head of a request. Pure: bytes in, a `Request` or a `Refused` out."""

from collections.abc import Callable
from typing import Final

from hosting.router import answers, hosts
from hosting.router.answers import Problem
from hosting.router.headers import (
    KEEP_ALIVE,
    REQUEST_LINES,
    Fate,
    length_of,
    tokens_of,
    value_at,
    value_of,
    without,
)
from hosting.router.llhttp import REQUESTS


class Refused(Exception):
    """Ends a request with an answer of ours."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Request:
    """One request head, as read. `lines` are the fields that may go on to a model, as they came."""

    __slots__ = (
        "accept_encoding",
        "authorization",
        "chunked",
        "connection",
        "content_type",
        "cookie",
        "expects_continue",
        "host",
        "hosts",
        "http11",
        "idempotent",
        "keep_alive",
        "length",
        "lines",
        "method",
        "name",
        "revision",
        "target",
        "upgrade",
        "wanted_headers",
        "websocket",
    )

    def __init__(self, method: bytes, target: bytes, http11: bool) -> None:
        self.method = method
        self.target = target
        self.http11 = http11
        self.keep_alive = http11
        self.lines: list[bytes] = []
        self.host = b""
        self.hosts = 0
        self.name = ""
        self.length = 0
        self.chunked = False
        self.authorization: bytes | None = None
        self.cookie: bytes | None = None
        self.content_type: bytes | None = None
        self.accept_encoding = False
        self.expects_continue = False
        self.upgrade: bytes | None = None
        self.connection: list[bytes] | None = None
        self.wanted_headers: bytes | None = None
        self.idempotent = False
        self.revision: bytes | None = None
        self.websocket: tuple[bytes, ...] = ()

    @property
    def wants_websocket(self) -> bool:
        """Whether this is the opening of a WebSocket."""
        return (
            self.upgrade == b"websocket"
            and self.connection is not None
            and b"upgrade" in self.connection
            and self.method == b"GET"
            and self.http11
            and not self.length
            and not self.chunked
        )


def read(head: bytes, *, most_fields: int) -> Request:
    """Read one head, up to and with its blank line; raise `Refused` for what is not one."""
    if not REQUESTS.accept(head):
        raise Refused(answers.BAD_REQUEST)
    lines = head.split(b"\r\n")
    if len(lines) > most_fields + 3:
        raise Refused(answers.HEAD_TOO_LARGE)
    request = _begun(lines[0])
    passed = request.lines
    known = REQUEST_LINES.lines
    spelled = REQUEST_LINES.spellings
    for at in range(1, len(lines) - 2):
        line = lines[at]
        if _known_by_sight(request, line):
            continue
        fate = known.get(line)
        if fate is None:
            fate = spelled.get(line[: line.find(b":")]) or REQUEST_LINES.sort(line)
        if fate == Fate.PASS:
            passed.append(line)
        elif fate != Fate.DROP:
            _READERS[fate](request, line)
    if not request.target.startswith(b"/"):
        _other_form(request)
    if request.hosts != 1:
        raise Refused(answers.BAD_HOST)
    request.name = _names.get(request.host) or _name(request.host)
    if request.connection is not None:
        _hop_by_hop(request, request.connection)
    return request


def _known_by_sight(request: Request, line: bytes) -> bool:
    """Read a line of those that nearly every request has: nothing to look up."""
    if line.startswith(b"Host:"):
        _host(request, line)
    elif line.startswith(b"Authorization:"):
        _authorization(request, line)
    elif line.startswith(b"Content-Type:"):
        _content_type(request, line)
    elif line.startswith(b"Content-Length:"):
        _length(request, line)
    elif line.startswith(b"Accept:") or line.startswith(b"User-Agent:"):  # noqa: PIE810
        request.lines.append(line)
    elif line == KEEP_ALIVE:
        request.keep_alive = True
    else:
        return line.startswith(b"X-Request-Id:")
    return True


class _Start:
    """The first line of a head, read once, and the same for all who send it."""

    __slots__ = ("http11", "method", "target")

    def __init__(self, method: bytes, target: bytes, http11: bool) -> None:
        self.method = method
        self.target = target
        self.http11 = http11


_starts: Final[dict[bytes, _Start]] = {}
_MOST_STARTS: Final = 1024
_LONGEST_START: Final = 128


def _begun(first: bytes) -> Request:
    start = _starts.get(first)
    if start is None:
        start = _start(first)
    return Request(start.method, start.target, start.http11)


def _start(first: bytes) -> _Start:
    parts = first.split(b" ")
    if len(parts) != 3:
        raise Refused(answers.BAD_REQUEST)
    version = parts[2]
    if version != b"HTTP/1.1" and version != b"HTTP/1.0":
        raise Refused(answers.HTTP_VERSION)
    start = _Start(parts[0], parts[1], version == b"HTTP/1.1")
    if len(first) <= _LONGEST_START:
        if len(_starts) >= _MOST_STARTS:
            _starts.clear()
        _starts[first] = start
    return start


_names: Final[dict[bytes, str]] = {}
_MOST_NAMES: Final = 4096


def _name(host: bytes) -> str:
    name = hosts.name_of(host)
    if not name:
        raise Refused(answers.BAD_HOST)
    if len(_names) >= _MOST_NAMES:
        _names.clear()
    _names[host] = name
    return name


def _other_form(request: Request) -> None:
    if request.target != b"*" or request.method != b"OPTIONS":
        _absolute_form(request)


def _absolute_form(request: Request) -> None:
    scheme, separator, rest = request.target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        raise Refused(answers.BAD_REQUEST)
    authority, slash, path = rest.partition(b"/")
    if b"?" in authority or b"#" in authority:
        raise Refused(answers.BAD_REQUEST)
    if request.hosts == 1 and request.host.lower() != authority.lower():
        raise Refused(answers.BAD_HOST)
    request.target = b"/" + path if slash else b"/"
    if request.hosts == 1 or not request.http11:
        request.host, request.hosts = authority, 1


def _hop_by_hop(request: Request, named: list[bytes]) -> None:
    if b"close" in named:
        request.keep_alive = False
    elif b"keep-alive" in named:
        request.keep_alive = True
    others = [each for each in named if each not in (b"close", b"keep-alive", b"upgrade")]
    if others:
        request.lines = without(request.lines, others)
        request.cookie = None if b"cookie" in others else request.cookie
        request.content_type = None if b"content-type" in others else request.content_type


# Handlers of the fields most requests have cut the value off at the length of the name: llhttp has
# seen to it that the colon follows at once.


def _host(request: Request, line: bytes) -> None:
    request.host = value_at(line, 5)
    request.hosts += 1


def _authorization(request: Request, line: bytes) -> None:
    if request.authorization is not None:
        raise Refused(answers.BAD_REQUEST)
    request.authorization = value_at(line, 14)


def _length(request: Request, line: bytes) -> None:
    request.length = length_of(value_at(line, 15))
    if request.length < 0:
        raise Refused(answers.BAD_REQUEST)


def _coding(request: Request, line: bytes) -> None:
    value = line.partition(b":")[2].strip(b" ")
    if request.chunked or value.lower() != b"chunked":
        raise Refused(answers.UNSUPPORTED_CODING)
    if not request.http11:
        raise Refused(answers.BAD_REQUEST)
    request.chunked = True


def _connection(request: Request, line: bytes) -> None:
    if value_at(line, 11).lower() == b"keep-alive":
        request.keep_alive = True
    else:
        request.connection = (request.connection or []) + tokens_of(value_of(line))


def _content_type(request: Request, line: bytes) -> None:
    request.content_type = value_at(line, 13)


def _accept_encoding(request: Request, line: bytes) -> None:
    request.accept_encoding = True
    request.lines.append(line)


def _cookie(request: Request, line: bytes) -> None:
    value = value_of(line)
    request.cookie = value if request.cookie is None else request.cookie + b"; " + value


def _expect(request: Request, line: bytes) -> None:
    if value_of(line).lower() != b"100-continue":
        raise Refused(answers.BAD_REQUEST._replace(status=417, code="expectation_failed"))
    request.expects_continue = request.http11


def _upgrade(request: Request, line: bytes) -> None:
    request.upgrade = value_of(line).lower()


def _websocket(request: Request, line: bytes) -> None:
    request.websocket = (*request.websocket, line)


def _wanted_headers(request: Request, line: bytes) -> None:
    request.wanted_headers = value_of(line)


def _idempotency(request: Request, line: bytes) -> None:
    request.idempotent = True
    request.lines.append(line)


def _revision(request: Request, line: bytes) -> None:
    request.revision = value_of(line)


_READERS: Final[dict[int, Callable[[Request, bytes], None]]] = {
    Fate.HOST: _host,
    Fate.CONTENT_TYPE: _content_type,
    Fate.AUTHORIZATION: _authorization,
    Fate.LENGTH: _length,
    Fate.CODING: _coding,
    Fate.CONNECTION: _connection,
    Fate.ACCEPT_ENCODING: _accept_encoding,
    Fate.COOKIE: _cookie,
    Fate.EXPECT: _expect,
    Fate.UPGRADE: _upgrade,
    Fate.WEBSOCKET: _websocket,
    Fate.WANTED_HEADERS: _wanted_headers,
    Fate.IDEMPOTENCY: _idempotency,
    Fate.REVISION: _revision,
}
