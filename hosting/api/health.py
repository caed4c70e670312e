"""Whether the web process lives, and whether it can work: no login, no details."""

import logging

from django.core.cache import cache
from django.db import connection
from django.db.utils import Error as DatabaseError
from django.http import HttpRequest, JsonResponse
from django.urls import path
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


def live(request: HttpRequest) -> JsonResponse:
    """Answer 200 as long as the process answers at all: restart it when this fails."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 when PostgreSQL and Redis answer too, else 503: send no requests meanwhile."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        cache.get("healthz")
    except (DatabaseError, RedisError) as error:
        logger.warning("Not ready: %s", error)
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "ok"})


urlpatterns = [path("live", live), path("ready", ready)]
