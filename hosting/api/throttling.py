"""How often a team may ask: a fixed window per minute, counted in Redis."""

import logging
import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from hosting.api.tenancy import membership_of

logger = logging.getLogger(__name__)
WINDOW_SECONDS = 60


class TeamThrottle(BaseThrottle):
    """One counter per team and minute. DRF's own keeps a list of every request's time instead."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request. Without Redis everyone passes: a limit must not be an outage."""
        if not hasattr(request, "membership"):
            return True  # schema, docs, unknown paths: nothing of a team's is touched
        limit = _requests_per_minute()
        key = f"throttle:{membership_of(request).team_id}:{int(time.time() // WINDOW_SECONDS)}"
        try:
            cache.add(key, 0, timeout=2 * WINDOW_SECONDS)
            return cache.incr(key) <= limit
        except (RedisError, ValueError):  # ValueError: the key expired in between
            logger.warning("The request limit is not enforced: Redis does not answer.")
            return True

    def wait(self) -> float:
        """Seconds until the window ends; DRF sends them as Retry-After."""
        return WINDOW_SECONDS - time.time() % WINDOW_SECONDS


def _requests_per_minute() -> int:
    rate: str = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]["team"]  # type: ignore[index]
    return int(rate.removesuffix("/min"))
