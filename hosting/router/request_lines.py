"""The head of a request as the model gets it, without what frames its body. Pure."""

from __future__ import annotations

from typing import Final

from hosting.router.headers import JSON
from hosting.router.pool import Replica, Served
from hosting.router.request_head import Request
from hosting.router.rewriting import cookie_lines
from hosting.router.targets import Kind, Target

_FORM: Final = b"application/x-www-form-urlencoded"


def for_model(
    request: Request, target: Target, replica: Replica, forwarded: bytes, id_line: bytes
) -> list[bytes]:
    """All lines, in order. `forwarded`: whole lines; `id_line`: follows an end of line."""
    served = replica.served
    path = _path(target, served)
    lines = [b"%b %b%b HTTP/1.1\r\n%b" % (request.method, path, target.query, replica.host_line)]
    for line in request.lines:  # compiled, this costs less than to extend by all of them
        lines.append(line)
    content_type = _content_type(request.content_type, target.kind, served)
    if content_type is not None:
        lines.append(b"Content-Type: " + content_type)
    if not request.accept_encoding:
        lines.append(b"Accept-Encoding: identity")
    if request.cookie is not None:
        lines.extend(cookie_lines(request.cookie))
    lines.append(b"%bX-Forwarded-Host: %b%b" % (forwarded, request.host, id_line))
    return lines


def _path(target: Target, served: Served) -> bytes:
    if target.kind == Kind.OTHER:
        return target.path
    return served.query_path if target.kind == Kind.QUERY else served.info_path


def _content_type(said: bytes | None, kind: int, served: Served) -> bytes | None:
    """What the model is told the body is: the documented curl line calls its JSON a form."""
    if kind != Kind.QUERY:
        return said
    if said is None or said == JSON or served.always_json or said.lower().startswith(_FORM):
        return JSON
    return said
