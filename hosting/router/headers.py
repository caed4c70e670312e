"""Which header fields go on, which end here, which are read. Pure.

A head is split into lines only after llhttp accepted it, strictly: no folding, no bare CR or LF, no
blank before a colon. Most lines are the same from request to request ("Accept: */*"), so what to
do with a whole line is remembered; measured, that beats looking at names, and unlike remembering
whole heads it does not lose on heads that differ in one line.
"""

from enum import IntEnum


class Fate(IntEnum):
    """What becomes of one header line. The greater ones are read by a handler."""

    PASS = 1
    DROP = 2
    HOST = 3
    AUTHORIZATION = 4
    LENGTH = 5
    CODING = 6  # Transfer-Encoding
    CONNECTION = 7
    CONTENT_TYPE = 8
    ACCEPT_ENCODING = 9
    COOKIE = 10
    EXPECT = 11
    UPGRADE = 12
    WEBSOCKET = 13
    WANTED_HEADERS = 14  # Access-Control-Request-Headers
    IDEMPOTENCY = 15
    SET_COOKIE = 16
    REQUEST_ID = 17
    REVISION = 18  # X-Dormouse-Revision


_REQUEST = {
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
_REQUEST_PREFIXES = (
    (b"x-forwarded-", Fate.DROP),
    (b"x-dormouse-", Fate.DROP),
    (b"sec-websocket-", Fate.WEBSOCKET),
)

_RESPONSE = {
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
_RESPONSE_PREFIXES = (
    (b"access-control-", Fate.DROP),
    (b"x-dormouse-", Fate.DROP),
    (b"sec-websocket-", Fate.WEBSOCKET),
)

# Only fates whose lines repeat are worth remembering; tokens and cookies don't lie about in memory.
_REPEATING = frozenset(
    map(int, (Fate.PASS, Fate.HOST, Fate.CONTENT_TYPE, Fate.CONNECTION, Fate.ACCEPT_ENCODING))
)
_REMEMBERED = 4096
_LONGEST = 96


class Sorter:
    """Maps a header line to its fate, remembering a bounded number of lines and names."""

    def __init__(self, names: dict[bytes, Fate], prefixes: tuple[tuple[bytes, Fate], ...]) -> None:
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
        if fate is None:
            if b"_" in name:  # many servers can't tell it from a hyphen
                return int(Fate.DROP)
            fate = next((f for prefix, f in self._prefixes if name.startswith(prefix)), Fate.PASS)
        return int(fate)


REQUEST_LINES = Sorter(_REQUEST, _REQUEST_PREFIXES)
RESPONSE_LINES = Sorter(_RESPONSE, _RESPONSE_PREFIXES)


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
