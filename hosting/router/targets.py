"""What a target asks for: one of the platform's three routes, or a path of the model. Pure."""

import re
from typing import Final

_SLASHES: Final = re.compile(rb"//+")
_DOT_SEGMENT: Final = re.compile(rb"(?:^|[/\\])(?:\.|%(?:25)*2e){1,2}(?:[/\\;]|$)", re.IGNORECASE)
_CODED_SLASH: Final = re.compile(rb"%(?:25)*(?:2f|5c|00)|\\", re.IGNORECASE)
_REMEMBERED: Final = 1024


class Kind:
    """The routes of a hosted model. Plain numbers: an enum's members cost ten times the look-up."""

    STATUS: Final = 0  # GET /v1, the platform's own
    INFO: Final = 1  # GET /v1/info
    QUERY: Final = 2  # POST /v1/query
    OTHER: Final = 3  # anything else under /v1/
    NOT_FOUND: Final = 4
    REFUSED: Final = 5  # a path that means different things to different readers


NAMES: Final = [b"status", b"info", b"query", b"other", b"other", b"other"]


class Target:
    """A target, read once, and the same for all who ask for it: nobody changes it."""

    __slots__ = ("kind", "path", "query")

    def __init__(self, kind: int, path: bytes, query: bytes) -> None:
        self.kind = kind
        self.path = path  # as the model gets it, where it gets it: slashes collapsed, no query
        self.query = query  # with its question mark, or empty


_known: Final[dict[bytes, Target]] = {}


def read(target: bytes) -> Target:
    """Sort an origin-form target (`/path?query`)."""
    known = _known.get(target)
    if known is not None:
        return known
    path, mark, query = target.partition(b"?")
    kind, path = _sort(path)
    found = Target(kind, path, mark + query)
    if len(target) <= 128:
        if len(_known) >= _REMEMBERED:
            _known.clear()
        _known[target] = found
    return found


def _sort(path: bytes) -> tuple[int, bytes]:
    if path[:1] != b"/":
        return Kind.REFUSED, path
    path = _SLASHES.sub(b"/", path)
    if _DOT_SEGMENT.search(path) or b"%2e%2e" in path.lower() or b"#" in path:
        return Kind.REFUSED, path
    bare = path.rstrip(b"/")
    if bare == b"/v1":
        return Kind.STATUS, path
    if bare == b"/v1/info":
        return Kind.INFO, path
    if bare == b"/v1/query":
        return Kind.QUERY, path
    if path.startswith(b"/v1/"):
        return (Kind.REFUSED if _CODED_SLASH.search(path) else Kind.OTHER), path
    return Kind.NOT_FOUND, path
