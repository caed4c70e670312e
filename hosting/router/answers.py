"""The answers the router gives by itself, as bytes. Pure."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, NamedTuple


class Problem(NamedTuple):
    """One way of saying no; the sentence says what to do next."""

    status: int
    code: str
    message: str
    retry_after: int | None = None
    lines: tuple[bytes, ...] = ()
    field: str | None = None  # the input that is wrong

    def saying(self, message: str, *, retry_after: int | None = None) -> "Problem":
        """The same problem in other words."""
        return self._replace(message=message, retry_after=retry_after or self.retry_after)


BAD_REQUEST = Problem(
    400, "bad_request", "The request is malformed. Check how your client frames it."
)
BAD_HOST = Problem(400, "bad_host", "The request needs exactly one valid Host.")
BAD_PATH = Problem(
    400, "bad_path", "The path is ambiguous. Send it without dot segments or coded slashes."
)
UNAUTHORIZED = Problem(
    401,
    "unauthorized",
    "The model is private. Send its token as “Authorization: Bearer …”.",
    lines=(b"WWW-Authenticate: Bearer",),
)
NO_BEARER = UNAUTHORIZED.saying(
    "The Authorization header holds no bearer token. Write “Bearer”, a space, then the token."
)
API_KEY_SENT = UNAUTHORIZED.saying(
    "This is an API key (dmk_…), which opens the admin API. Send a token of this model (dme_…)."
)
TOKEN_REFUSED = UNAUTHORIZED.saying(
    "No token of this model is like the one sent: it may be another model's, cut off, revoked or"
    " expired. Issue one on the model's page, under Tokens."
)
PAYMENT_REQUIRED = Problem(
    402,
    "payment_required",
    "The team's credits or a budget of it are used up. Add credits or raise the budget.",
)
BUDGET_EXHAUSTED = PAYMENT_REQUIRED.saying(
    "What is left of the team's credits or of a budget doesn't cover this request. Add credits or"
    " raise the budget."
)
NOT_FOUND = Problem(
    404, "not_found", "There is no such model, or it is inactive. Check the address."
)
NO_SUCH_PATH = Problem(404, "no_such_path", "Use GET /v1, GET /v1/info or POST /v1/query.")
NOT_SERVED_HERE = Problem(404, "not_served_here", "Nothing is served under this host name.")
METHOD_NOT_ALLOWED = Problem(405, "method_not_allowed", "Queries go as POST to /v1/query.")
HEAD_TIMEOUT = Problem(408, "head_timeout", "The request took too long to arrive. Send it again.")
BODY_TIMEOUT = Problem(408, "body_timeout", "The body arrived too slowly. Send it again.")
BODY_TOO_LARGE = Problem(413, "body_too_large", "The body is too large for this model.")
TARGET_TOO_LONG = Problem(414, "target_too_long", "The address is too long.")
HEAD_TOO_LARGE = Problem(431, "head_too_large", "The request has too many or too long headers.")
MODEL_DIED = Problem(500, "model_died", "The model ended before it answered. Look at its logs.")
MODEL_GARBLED = Problem(
    500, "model_garbled", "The model's answer is not valid HTTP. Look at its logs."
)
INVALID_INPUT = Problem(422, "invalid_input", "The input does not fit what the model takes.")
UNSUPPORTED_CODING = Problem(501, "unsupported_coding", "Send the body plain or as “chunked” only.")
UPGRADE_REFUSED = Problem(503, "upgrade_refused", "The model did not open a WebSocket.")
TOO_MANY_HELD = Problem(503, "queue_full", "Too many requests wait for this model. Try again.", 5)
MAY_NOT_WAKE = Problem(
    503,
    "asleep",
    "The model is asleep, and its owner does not let this request wake it. Others may.",
)
RATE_LIMITED = Problem(503, "rate_limited", "The limit of requests is reached. Send fewer.", 1)
WAKE_FAILED = Problem(503, "wake_failed", "The model did not start.", 5)
CONTROL_PLANE_UNAVAILABLE = Problem(
    503, "control_plane_unavailable", "The model can't be woken right now. Try again shortly.", 10
)
BUDGET_UNKNOWN = Problem(
    503,
    "budget_unknown",
    "The model has a budget, and nobody could say what is left of it. Try again shortly.",
    5,
)
MODEL_BUSY = Problem(503, "model_busy", "The model refused the request for now. Try again.", 1)
SPOOL_UNAVAILABLE = Problem(503, "spool_unavailable", "Requests can't be counted. Try again.", 10)
DASHBOARD_DOWN = Problem(503, "dashboard_down", "The dashboard is starting. Reload in a moment.", 3)
SHUTTING_DOWN = Problem(503, "shutting_down", "The router is restarting. Send it again.", 1)
TOO_MANY_CONNECTIONS = Problem(503, "too_many_connections", "The router is full. Try again.", 5)
WAKE_TIMED_OUT = Problem(
    504, "wake_timed_out", "The model was not awake before the deadline. Try again.", 5
)
NO_ROOM = Problem(503, "no_room", "There was no room for the model before the deadline.", 30)
QUEUE_TIMED_OUT = Problem(
    504, "queue_timed_out", "No slot came free before the deadline. Try again.", 5
)
MODEL_TIMED_OUT = Problem(504, "model_timed_out", "The model did not answer before the deadline.")
HTTP_VERSION = Problem(505, "http_version", "Use HTTP/1.1.")

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "model_error",
    503: "unavailable_error",
    504: "timeout_error",
}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"


# Heads are made as lines and joined by CRLF; no line here carries its own.
STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %b" % (status, _phrase(status).encode()) for status in range(100, 1000)
}
# One origin header on every answer, "*" because no answer depends on cookies.
ORIGIN: Final = b"Access-Control-Allow-Origin: *"
CORS: Final = (
    ORIGIN + b"\r\n"
    b"Access-Control-Expose-Headers: X-Request-Id, X-Dormouse-State, Server-Timing, Retry-After"
)
CLOSE: Final = b"Connection: close"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_JSON: Final = b"Content-Type: application/json"
_ALLOWED_HEADERS: Final = b"Authorization, Content-Type, X-Runway-Output-Format, Idempotency-Key"


def error_body(
    *, status: int, code: str, message: str, request_id: bytes, field: str | None = None
) -> bytes:
    """The JSON of an error, the one shape there is."""
    error = {
        "message": message,
        "type": _TYPES.get(status, "invalid_request_error"),
        "code": code,
        "request_id": request_id.decode(),
    }
    if field is not None:
        error["param"] = field  # as OpenAI's clients call it
    return json.dumps({"error": error}, ensure_ascii=False).encode()


def refuse(
    problem: Problem,
    *,
    request_id: bytes = b"",
    close: bool = False,
    head_only: bool = False,
    lines: tuple[bytes, ...] = (),
) -> bytes:
    """A whole answer that says no."""
    body = error_body(
        status=problem.status,
        code=problem.code,
        message=problem.message,
        request_id=request_id,
        field=problem.field,
    )
    said = [*lines, *problem.lines]
    if problem.retry_after is not None:
        said.append(b"Retry-After: %d" % problem.retry_after)
    if request_id:
        said.append(b"X-Request-Id: " + request_id)
    return whole(problem.status, body, lines=said, close=close, head_only=head_only)


def whole(
    status: int,
    body: bytes,
    *,
    lines: Sequence[bytes] = (),
    close: bool = False,
    head_only: bool = False,
    content_type: bytes = _JSON,
) -> bytes:
    """A whole answer with a body of known length."""
    head = [STATUS_LINES[status], content_type, CORS, *lines, b"Content-Length: %d" % len(body)]
    if close:
        head.append(CLOSE)
    return b"\r\n".join((*head, b"", b"" if head_only else body))


def preflight(requested: bytes | None, *, close: bool = False) -> bytes:
    """What a browser asks before it sends a token; echoes the headers it wants to send."""
    head = [
        STATUS_LINES[204],
        ORIGIN,
        b"Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        b"Access-Control-Allow-Headers: %b" % (requested or _ALLOWED_HEADERS),
        b"Access-Control-Max-Age: 7200",
        b"Vary: Access-Control-Request-Headers",
        _JSON,
    ]
    if close:
        head.append(CLOSE)
    return b"\r\n".join((*head, b"", b""))


def status_body(status: str, **more: object) -> bytes:
    """The body of `GET /v1`: the documented four keys, and what else was asked for."""
    said = {"status": status, "queryRoute": "/v1/query", "dataRoute": None, "errorRoute": None}
    return json.dumps(said | more, separators=(",", ":")).encode()


def bare_info(name: str) -> str:
    """What `GET /v1/info` says of a model that describes nothing."""
    return json.dumps({"name": name, "description": "", "inputs": [], "outputs": []})
