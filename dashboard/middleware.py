"""What keeps the pages of hosted models, which are strangers, away from ours in a browser."""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FOREIGN = frozenset({"same-site", "cross-site"})
_REFUSAL = "This form was sent from a page that is not ours. Open the dashboard and try again."

Answer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def own_origin_only(get_response: Any) -> Answer | AsyncAnswer:
    """Refuse unsafe requests that a browser says come from elsewhere, and inclusion of our files.

    A model's page may be same-site with the dashboard, so cookies alone prove nothing. Programs
    send no Sec-Fetch-Site; they carry a key instead of a cookie.
    """
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            return _sealed(_refusal(request) or await get_response(request))

        return answer_later

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _sealed(_refusal(request) or get_response(request))

    return answer


def _refusal(request: HttpRequest) -> HttpResponse | None:
    foreign = request.headers.get("Sec-Fetch-Site") in FOREIGN
    if foreign and request.method not in SAFE_METHODS:
        return HttpResponse(_REFUSAL, status=403, content_type="text/plain; charset=utf-8")
    return None


def _sealed(response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    return response
