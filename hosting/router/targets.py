"""What a target asks for: one of the platform's three routes, or a path of the model. Pure."""

import re
from typing import NamedTuple

_SLASHES = re.compile(rb"//+")
_DOT_SEGMENT = re.compile(rb"(?:^|[/\\])(?:\.|%(?:25)*2e){1,2}(?:[/\\;]|$)", re.IGNORECASE)
_CODED_SLASH = re.compile(rb"%(?:25)*(?:2f|5c|00)|\\", re.IGNORECASE)
_REMEMBERED = 1024


class Kind:
    """The routes of a hosted model. Plain numbers: an enum's members cost ten times the look-up."""

    STATUS = 0  # GET /v1, the platform's own
    INFO = 1  # GET /v1/info
    QUERY = 2  # POST /v1/query
    OTHER = 3  # anything else under /v1/
    NOT_FOUND = 4
    REFUSED = 5  # a path that means different things to different readers


NAMES = ("status", "info", "query", "other", "other", "other")


class Target(NamedTuple):
    """A target, read once."""

    kind: int
    path: bytes  # as the model gets it, where it gets it: slashes collapsed, no query string
    query: bytes  # with its question mark, or empty


_known: dict[bytes, Target] = {}


def read(target: bytes) -> Target:
    """Sort an origin-form target (`/path?query`)."""
    known = _known.get(target)
    if known is not None:
        return known
    path, mark, query = target.partition(b"?")
    found = Target(*_sort(path), mark + query)
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
