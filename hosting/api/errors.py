"""Every refusal of the API, as RFC 9457 problem+json."""

from http import HTTPStatus
from math import ceil
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt
from drf_standardized_errors.formatter import flatten_errors
from drf_standardized_errors.handler import ExceptionHandler
from rest_framework import exceptions
from rest_framework.response import Response

from hosting.api import request_ids
from hosting.errors import HostingError

PROBLEM_JSON = "application/problem+json"
NO_SUCH_ADDRESS = "There is nothing at this address. See /api/v1/docs/ for those that exist."
INTERNAL = (
    "Something went wrong on our side. Try again; if it stays, tell your operator the request_id."
)

_TO_DO = {
    exceptions.NotAuthenticated: (
        "Send your API key as “Authorization: Bearer dmk_…”."
        " Issue one under API keys on the dashboard."
    ),
    exceptions.UnsupportedMediaType: "Send JSON, and say so: “Content-Type: application/json”.",
}


def exception_handler(error: Exception, context: Any) -> Response | None:
    """Turn whatever a view raised into a problem; bugs keep their traceback in the log."""
    return ProblemHandler(error, context).run()


class DatabaseUnavailable(HostingError):
    """PostgreSQL restarts, or is gone."""

    code = "database_unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    sentence = "The database does not answer. Try again in a moment."


class ProblemHandler(ExceptionHandler):
    """drf-standardized-errors, with our domain errors known and our body."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """Know HostingError and a database that is away; a wrong value is 422 whoever finds it."""
        if isinstance(exc, (OperationalError, InterfaceError)):
            return _Translated(DatabaseUnavailable(DatabaseUnavailable.sentence))
        if isinstance(exc, HostingError):
            return _Translated(exc)
        if isinstance(exc, exceptions.ValidationError):
            exc.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
        if isinstance(exc, exceptions.APIException) and type(exc) in _TO_DO:
            exc.detail = exceptions.ErrorDetail(_TO_DO[type(exc)], exc.default_code)
        return super().convert_known_exceptions(exc)

    def format_exception(self, exc: exceptions.APIException) -> dict[str, Any]:
        """Write the body; `errors` names each wrong field of a 422."""
        if exc.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(exc, _Translated):
            return problem(exc.status_code, code="internal_error", detail=INTERNAL)
        errors = [
            {"code": each.code or "invalid", "detail": each.detail or "", "field": each.attr}
            for each in flatten_errors(exc.detail)  # type: ignore[arg-type]
        ]
        if isinstance(exc, exceptions.ValidationError) or errors[0]["field"]:
            return problem(exc.status_code, code=_code(exc), detail=_summary(errors), errors=errors)
        first = errors[0]
        return problem(exc.status_code, code=first["code"] or "", detail=first["detail"] or "")

    def get_response(self, exc: exceptions.APIException, data: dict[str, Any]) -> Response:
        """Name the media type of RFC 9457, whatever renderer the view has."""
        headers = self.get_headers(exc)
        return _ProblemResponse(data, status=exc.status_code, headers=headers)  # type: ignore[return-value]

    def get_headers(self, exc: exceptions.APIException) -> dict[str, str]:
        """Say when to come back, rounded up."""
        headers: dict[str, str] = super().get_headers(exc)
        wait: float | None = getattr(exc, "wait", None)
        if wait is not None:
            headers["Retry-After"] = str(max(1, ceil(wait)))
        return headers


@csrf_exempt
def unknown_address(request: HttpRequest, **_: str) -> HttpResponse:
    """Answer 404 for what is not in the URL table, or serve it when only the last slash is missing.

    Not a redirect: clients drop the body of a POST, or the key, when they follow one.
    """
    if not request.path_info.endswith("/"):
        try:
            match = resolve(request.path_info + "/")
        except Resolver404:
            match = None
        if match is not None and match.func is not unknown_address:
            answer: HttpResponse = match.func(request, *match.args, **match.kwargs)
            return answer
    return _ProblemResponse(
        problem(404, code="not_found", detail=NO_SUCH_ADDRESS), status=HTTPStatus.NOT_FOUND
    )


@csrf_exempt
def model_without_name(request: HttpRequest) -> HttpResponse:
    """Answer 404 for a model's path at our own address: its subdomain was left out."""
    host = f"{settings.BASE_DOMAIN}{settings.ENDPOINT_PORT_SUFFIX}"
    detail = (
        "No model answers here: each has an address of its own, such as"
        f" {settings.PUBLIC_SCHEME}://NAME.{host}{request.path_info}. The admin API is at /api/v1/."
    )
    body = problem(404, code="no_model_named", detail=detail)
    return _ProblemResponse(body, status=HTTPStatus.NOT_FOUND)


def problem(status: int, *, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """The body of RFC 9457. `type` stays about:blank: `code` tells the kinds apart.

    Who asks about it quotes `request_id`, which is in the log.
    """
    title = HTTPStatus(status).phrase
    return {
        "type": "about:blank",
        "title": title,
        "status": int(status),
        "code": code,
        "detail": detail,
        "request_id": request_ids.current(),
        **more,
    }


class _ProblemResponse(JsonResponse):
    """Rendered at once: an error must not depend on the renderer that content negotiation chose."""

    def __init__(self, data: dict[str, Any], **more: Any) -> None:
        super().__init__(data, content_type=PROBLEM_JSON, **more)


class _Translated(exceptions.APIException):
    """A HostingError in DRF's clothes."""

    def __init__(self, error: HostingError) -> None:
        super().__init__(
            {error.field: [error.message]} if error.field else error.message, code=error.code
        )
        self.status_code = error.status
        self.code = error.code


def _code(exc: exceptions.APIException) -> str:
    return exc.code if isinstance(exc, _Translated) else "invalid"


def _summary(errors: list[dict[str, Any]]) -> str:
    """One sentence that still helps when `errors` is not looked at."""
    first = errors[0]
    if first["field"] in (None, "non_field_errors"):
        return str(first["detail"])
    return f"{first['field']}: {first['detail']}"
