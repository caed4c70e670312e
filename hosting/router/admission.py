"""Whether a request may go to a model, by its head and what is known of the model. Pure."""

from typing import Final

from hosting.router import access, answers
from hosting.router.endpoints import Endpoint
from hosting.router.headers import value_at
from hosting.router.request_head import Refused, Request
from hosting.router.targets import Kind, Target

_READ: Final = (b"GET", b"HEAD")
_NEVER: Final = (b"CONNECT", b"TRACE")


def admit(
    request: Request, endpoint: Endpoint, target: Target, *, shown: access.Shown, now: float
) -> int:
    """The id of the token that opened the model; raise `Refused` otherwise. `now`: unix seconds."""
    token_id = access.token_id(
        request.authorization,
        shown=shown,
        public=endpoint.public,
        tokens=endpoint.tokens,
        now=now,
    )
    if token_id is None:
        raise Refused(_unauthorized(request.authorization))
    kind = target.kind
    method = request.method
    if kind == Kind.QUERY:
        if method != b"POST":
            raise _method("POST", "Queries go as POST to /v1/query.")
    elif kind == Kind.OTHER:
        if not endpoint.passes_through:
            raise Refused(answers.NO_SUCH_PATH)
        if method in _NEVER:
            raise _method("GET, POST", "This method is not forwarded.")
    elif kind == Kind.REFUSED:
        raise Refused(answers.BAD_PATH)
    elif kind == Kind.NOT_FOUND:
        raise Refused(answers.NO_SUCH_PATH)
    elif method not in _READ:
        raise _method("GET", "Use GET here. Queries go as POST to /v1/query.")
    if kind == Kind.QUERY or kind == Kind.OTHER:  # looking is free
        _check_paid(endpoint, token_id)
    if request.length > endpoint.max_body:
        limit = (
            f"The body is larger than the {endpoint.max_body / 2**20:g} MiB this model takes."
            " Its owner can raise that under Settings."
        )
        raise Refused(answers.BODY_TOO_LARGE.saying(limit))
    return token_id


def _unauthorized(authorization: bytes | None) -> answers.Problem:
    if authorization is None:
        return answers.UNAUTHORIZED
    if not access.is_bearer(authorization):
        return answers.NO_BEARER
    is_key = value_at(authorization, 6).startswith(b"dmk_")
    return answers.API_KEY_SENT if is_key else answers.TOKEN_REFUSED


def _check_paid(endpoint: Endpoint, token_id: int) -> None:
    if endpoint.payment_required or token_id in endpoint.unpaid_tokens:
        raise Refused(answers.PAYMENT_REQUIRED)


def _method(allow: str, message: str) -> Refused:
    problem = answers.METHOD_NOT_ALLOWED.saying(message)
    return Refused(problem._replace(lines=(b"Allow: %b, OPTIONS" % allow.encode(),)))
