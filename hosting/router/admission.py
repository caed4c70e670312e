"""Whether a request may go to a model, decided from the head and the route alone. Pure."""

from hosting.router import access, answers
from hosting.router.request_head import Refused, Request
from hosting.router.targets import Kind, Target
from hosting.wire import Route

# Protocols whose servers have routes of their own under /v1 for callers to use.
PASS_THROUGH = frozenset({"openai"})
_READ = (b"GET", b"HEAD")
_NEVER = (b"CONNECT", b"TRACE")


def admit(request: Request, route: Route, target: Target, *, now: float) -> int:
    """The id of the token that opened the model; raise `Refused` otherwise. `now`: unix seconds."""
    token_id = access.token_id(route, request.authorization, now=now)
    if token_id is None:
        raise Refused(answers.UNAUTHORIZED)
    kind = target.kind
    method = request.method
    if kind is Kind.QUERY:
        if method != b"POST":
            raise _method("POST", "Queries go as POST to /v1/query.")
    elif kind is Kind.OTHER:
        if route.protocol not in PASS_THROUGH:
            raise Refused(answers.NO_SUCH_PATH)
        if method in _NEVER:
            raise _method("GET, POST", "This method is not forwarded.")
    elif kind is Kind.REFUSED:
        raise Refused(answers.BAD_PATH)
    elif kind is Kind.NOT_FOUND:
        raise Refused(answers.NO_SUCH_PATH)
    elif method not in _READ:
        raise _method("GET", "Use GET here. Queries go as POST to /v1/query.")
    if kind == Kind.QUERY or kind == Kind.OTHER:  # looking is free
        _check_paid(route, token_id)
    if request.length > route.max_body_bytes:
        limit = f"The body is larger than the {route.max_body_bytes} bytes this model takes."
        raise Refused(answers.BODY_TOO_LARGE.saying(limit))
    return token_id


def _check_paid(route: Route, token_id: int) -> None:
    if route.payment_required or (route.unpaid_tokens and token_id in route.unpaid_tokens):
        raise Refused(answers.PAYMENT_REQUIRED)


def _method(allow: str, message: str) -> Refused:
    problem = answers.METHOD_NOT_ALLOWED.saying(message)
    return Refused(problem._replace(lines=(b"Allow: %b, OPTIONS" % allow.encode(),)))
