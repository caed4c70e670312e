"""Each request to the web process has an id: in its answer, in the log, on pages of errors."""

import logging
import re
import uuid
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

HEADER = "X-Request-Id"
_SANE = re.compile(r"[0-9A-Za-z_-]{8,64}")

Answer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """The id of the request that is answered here; empty outside of one."""
    return _current.get()


@sync_and_async_middleware
def request_id(get_response: Any) -> Answer | AsyncAnswer:
    """Give the request its id: the router's, which takes none from callers, else a new one.

    It stays current afterwards: Django logs refusals when every middleware has ended.
    """
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            _current.set(_of(request))
            return _named(await get_response(request))

        return answer_later

    def answer(request: HttpRequest) -> HttpResponseBase:
        _current.set(_of(request))
        return _named(get_response(request))

    return answer


class InLogLines(logging.Filter):
    """Gives every record its `request_id`: the id in brackets and a blank, or nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let it pass."""
        known = current()
        record.request_id = f"[{known}] " if known else ""
        return True


def _of(request: HttpRequest) -> str:
    given = request.headers.get(HEADER, "")
    return given if _SANE.fullmatch(given) else str(uuid.uuid4())


def _named(response: HttpResponseBase) -> HttpResponseBase:
    response.headers[HEADER] = current()
    return response
