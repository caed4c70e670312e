"""Which header fields go on, which end here, which are read. Pure.

A head is split into lines only after llhttp accepted it, strictly: no folding, no bare CR or LF, no
blank before a colon. What nearly every head has, `request_head` and `response_head` know by sight.
Most other lines are the same from request to request ("Origin: null"), so what to do with a whole
line is remembered; measured, that beats looking at names, and unlike remembering whole heads it
does not lose on heads that differ in one line.
"""

from typing import Final


class Fate:
    """What becomes of one header line. What is above `DROP` is read."""

    PASS: Final = 1
    DROP: Final = 2
    HOST: Final = 3
    AUTHORIZATION: Final = 4
    LENGTH: Final = 5
    CODING: Final = 6  # Transfer-Encoding
    CONNECTION: Final = 7
    CONTENT_TYPE: Final = 8
    ACCEPT_ENCODING: Final = 9
    COOKIE: Final = 10
    EXPECT: Final = 11
    UPGRADE: Final = 12
    WEBSOCKET: Final = 13
    WANTED_HEADERS: Final = 14  # Access-Control-Request-Headers
    IDEMPOTENCY: Final = 15
    SET_COOKIE: Final = 16
    REQUEST_ID: Final = 17
    REVISION: Final = 18  # X-Dormouse-Revision


_REQUEST: Final[dict[bytes, int]] = {
    b"host": Fate.HOST,
    b"authorization": Fate.AUTHORIZATION,
    b"content-length": Fate.LENGTH,
    b"transfer-encoding": Fate.CODING,
    b"connection": Fate.CONNECTION,
    b"content-type": Fate.CONTENT_TYPE,
    b"accept-encoding": Fate.ACCEPT_ENCODING,
    b"cookie": Fate.COOKIE,
    b"expect": Fate.EXPECT,
    b"upgrade": Fate.UPGRADE,
    b"access-control-request-headers": Fate.WANTED_HEADERS,
    b"idempotency-key": Fate.IDEMPOTENCY,
    b"x-dormouse-revision": Fate.REVISION,
    b"keep-alive": Fate.DROP,
    b"proxy-connection": Fate.DROP,
    b"proxy-authorization": Fate.DROP,
    b"proxy-authenticate": Fate.DROP,
    b"te": Fate.DROP,
    b"trailer": Fate.DROP,
    b"forwarded": Fate.DROP,
    b"via": Fate.DROP,
    b"x-real-ip": Fate.DROP,
    b"x-request-id": Fate.DROP,
    b"x-original-url": Fate.DROP,
    b"x-rewrite-url": Fate.DROP,
    b"http2-settings": Fate.DROP,
}
_REQUEST_PREFIXES: Final = (
    (b"x-forwarded-", Fate.DROP),
    (b"x-dormouse-", Fate.DROP),
    (b"sec-websocket-", Fate.WEBSOCKET),
)

_RESPONSE: Final[dict[bytes, int]] = {
    b"content-length": Fate.LENGTH,
    b"transfer-encoding": Fate.CODING,
    b"connection": Fate.CONNECTION,
    b"content-type": Fate.CONTENT_TYPE,
    b"set-cookie": Fate.SET_COOKIE,
    b"x-request-id": Fate.REQUEST_ID,
    b"keep-alive": Fate.DROP,
    b"proxy-connection": Fate.DROP,
    b"proxy-authenticate": Fate.DROP,
    b"trailer": Fate.DROP,
    b"te": Fate.DROP,
    b"upgrade": Fate.UPGRADE,
}
_RESPONSE_PREFIXES: Final = (
    (b"access-control-", Fate.DROP),
    (b"x-dormouse-", Fate.DROP),
    (b"sec-websocket-", Fate.WEBSOCKET),
)

KEEP_ALIVE: Final = b"Connection: keep-alive"
JSON: Final = b"application/json"

# Only fates whose lines repeat are worth remembering; tokens and cookies don't lie about in memory.
_REPEATING: Final = frozenset(
    (Fate.PASS, Fate.HOST, Fate.CONTENT_TYPE, Fate.CONNECTION, Fate.ACCEPT_ENCODING)
)
_BLANK: Final = 0x20
_MOST_DIGITS: Final = 18
_REMEMBERED: Final = 4096
_LONGEST: Final = 96


class Sorter:
    """Maps a header line to its fate, remembering a bounded number of lines and names."""

    def __init__(self, names: dict[bytes, int], prefixes: tuple[tuple[bytes, int], ...]) -> None:
        self.lines: dict[bytes, int] = {}  # look a line up here first,
        self.spellings: dict[bytes, int] = {}  # then its name, as written, here; then `sort` it
        self._names = names
        self._prefixes = prefixes

    def sort(self, line: bytes) -> int:
        """The fate of a line that isn't remembered."""
        name = line[: line.find(b":")]
        fate = self._by_name(name.lower())
        repeats = fate in _REPEATING
        known, key = (self.lines, line) if repeats else (self.spellings, name)
        if len(key) <= _LONGEST:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[key] = fate
        return fate

    def _by_name(self, name: bytes) -> int:
        fate = self._names.get(name)
        if fate is not None:
            return fate
        if b"_" in name:  # many servers can't tell it from a hyphen
            return Fate.DROP
        for prefix, known in self._prefixes:
            if name.startswith(prefix):
                return known
        return Fate.PASS


REQUEST_LINES: Final = Sorter(_REQUEST, _REQUEST_PREFIXES)
RESPONSE_LINES: Final = Sorter(_RESPONSE, _RESPONSE_PREFIXES)


def value_at(line: bytes, start: int) -> bytes:
    """What stands from there on, without the blanks around it."""
    if len(line) > start + 1 and line[start] == _BLANK < line[start + 1] and line[-1] > _BLANK:
        return line[start + 1 :]  # as nearly everybody writes it
    return line[start:].strip(b" \t")


def length_of(value: bytes) -> int:
    """The bytes a Content-Length speaks of; -1 when that is no number we are ready to count."""
    if not 0 < len(value) <= _MOST_DIGITS:
        return -1
    length = 0
    for at in range(len(value)):
        digit = value[at] - 0x30
        if not 0 <= digit <= 9:
            return -1
        length = length * 10 + digit
    return length


def value_of(line: bytes) -> bytes:
    """What stands after the colon."""
    return line[line.index(b":") + 1 :].strip(b" \t")


def tokens_of(value: bytes) -> list[bytes]:
    """A comma-separated list, in lower case."""
    return [token.strip(b" \t").lower() for token in value.split(b",") if token.strip(b" \t")]


def without(lines: list[bytes], names: list[bytes]) -> list[bytes]:
    """The lines whose name is not among these: what `Connection` calls hop-by-hop."""
    return [line for line in lines if line.partition(b":")[0].lower() not in names]


def foreign_cookies(value: bytes) -> bytes:
    """The cookies of a caller without those the dashboard sets."""
    kept = [pair.strip() for pair in value.split(b";") if not _ours(pair.strip())]
    return b"; ".join(kept)


def _ours(pair: bytes) -> bool:
    name = pair.partition(b"=")[0].strip().lower()
    return name in (b"sessionid", b"csrftoken", b"messages", b"") or name.startswith(
        (b"__host-", b"__secure-", b"dormouse")
    )


def without_domain(set_cookie: bytes) -> bytes:
    """A model's Set-Cookie, kept to its own host name."""
    first, *attributes = set_cookie.split(b";")
    kept = [each for each in attributes if each.partition(b"=")[0].strip().lower() != b"domain"]
    return b";".join([first, *kept])
