"""One stream of hints per page: "this model changed". The page then asks for its own fragment."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import redis.asyncio
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard.teams import membership_of
from hosting.models import UsageMinute
from hosting.wire import LOGS_CHANNEL, ROUTES_CHANNEL, Route

HEARTBEAT_SECONDS = 15.0
USAGE_SECONDS = 3.0
# The browser comes back by itself; so a revoked session is noticed, and nothing stays for ever.
LONGEST_SECONDS = 600.0
RECENT = timedelta(minutes=10)


@require_GET
async def stream(request: HttpRequest) -> HttpResponseBase:
    """Server-sent events for the person's team; 204 tells a browser to stop trying."""
    membership = await sync_to_async(_membership)(request)
    if membership is None:
        return HttpResponse(status=204)
    response = StreamingHttpResponse(
        events(membership.team_id), content_type="text/event-stream; charset=utf-8"
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def events(team_id: int) -> AsyncIterator[str]:
    """Routes of this team as they change, new usage, and heartbeats in between."""
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    subscription = client.pubsub()
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_SECONDS
    usage, beat = await _usage(team_id), loop.time()
    try:
        await subscription.subscribe(ROUTES_CHANNEL, LOGS_CHANNEL)
        yield "retry: 2000\n\n" + _event("hello", {})
        while loop.time() < end:
            message = await subscription.get_message(
                ignore_subscribe_messages=True, timeout=USAGE_SECONDS
            )
            if message is not None:
                if text := _told(message, team_id):
                    yield text
                continue
            counted = await _usage(team_id)
            if counted != usage:
                usage = counted
                yield _event("usage", {"requests": counted})
            elif loop.time() - beat > HEARTBEAT_SECONDS:
                beat = loop.time()
                yield ": still here\n\n"
    except redis.exceptions.ConnectionError:
        return  # the page says that live updates are paused, and comes back
    finally:
        await subscription.aclose()  # type: ignore[no-untyped-call]
        await client.aclose()


def _told(message: dict[str, Any], team_id: int) -> str:
    if message["channel"] == LOGS_CHANNEL.encode():
        return _written(message["data"], team_id)
    return _change(message["data"], team_id)


def _written(data: bytes, team_id: int) -> str:
    """New lines in a model's log, not which: the page asks for them."""
    hint = json.loads(data)
    if hint["team_id"] != team_id:
        return ""
    return _event("log", {"subdomain": hint["subdomain"]})


def _change(data: bytes, team_id: int) -> str:
    route = Route.from_json(data)
    if route.team_id != team_id:
        return ""
    state = "removed" if route.removed else route.state
    return _event("model", {"subdomain": route.subdomain, "state": state})


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _membership(request: HttpRequest) -> Any:
    try:
        return membership_of(request)
    finally:
        close_old_connections()  # a stream must not keep one from the pool for minutes


@sync_to_async
def _usage(team_id: int) -> int:
    """A number that changes with each counted request; new errors never come without one."""
    lately = timezone.now() - RECENT
    try:
        found = UsageMinute.objects.filter(team_id=team_id, minute__gt=lately)
        return found.aggregate(sum=Sum("requests"))["sum"] or 0
    finally:
        close_old_connections()
