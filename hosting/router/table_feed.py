"""Keeps the route table current from Redis: changes as they are published, the whole at intervals.

Whatever goes wrong with Redis, the table stays as it is and the router serves from it; changes then
come by `table_inquiry.py`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from hosting.router.routes import RouteTable
from hosting.wire import ROUTES_CHANNEL, ROUTES_EPOCH_KEY, ROUTES_KEY, Route

logger = logging.getLogger(__name__)

REREAD_SECONDS: Final = 5.0
_LONGEST_PAUSE: Final = 2.0
_PING_SECONDS: Final = 0.4
_LOST_SECONDS: Final = 1.0
_PAGE: Final = 250  # routes read at once


class TableFeed:
    """One subscription. `run` never ends by itself."""

    def __init__(self, redis: Redis, table: RouteTable, *, reread_seconds: float = REREAD_SECONDS):
        self._redis = redis
        self._table = table
        self._reread_seconds = reread_seconds
        self._read: dict[bytes, tuple[bytes, str]] = {}  # the last whole: texts and subdomains
        self._heard_at = float("-inf")
        self.ready = asyncio.Event()  # the table was read once

    def lost(self) -> bool:
        """Whether changes may go unheard: Redis is gone, or has not said a word for a second."""
        return time.monotonic() - self._heard_at > _LOST_SECONDS

    async def run(self) -> None:
        """Follow the table; reconnect for ever."""
        pause = 0.1
        missed = False
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(ROUTES_CHANNEL)
                    # Only now: what changes while the whole is read is then heard as well.
                    # What changed while Redis was away is in there once the sweep has found it.
                    await self._read_whole(all_there=not missed)
                    pause = 0.1
                    await self._follow(subscription)
            except (RedisError, OSError, TimeoutError) as error:
                logger.warning("route table: Redis is away: %s", error)
            self._heard_at = float("-inf")
            self._table.complete = False
            missed = True
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)

    async def _follow(self, subscription: PubSub) -> None:
        ping_at, reread_at = 0.0, time.monotonic() + self._reread_seconds
        while True:
            now = time.monotonic()
            if now >= reread_at:
                await self._read_whole()
                reread_at = now + self._reread_seconds
            if now >= ping_at:
                await subscription.ping()
                ping_at = now + _PING_SECONDS
            message = await subscription.get_message(timeout=_PING_SECONDS)
            if message is None:
                continue
            self._heard_at = time.monotonic()
            if message["type"] == "message":
                self._apply(message["data"])

    def _apply(self, text: bytes) -> None:
        try:
            self._table.apply(Route.from_json(text))
        except (ValueError, TypeError, KeyError):
            logger.exception("route table: a message makes no sense: %.200r", text)

    async def _read_whole(self, *, all_there: bool = True) -> None:
        """Read the whole in pages, and only what says something new: requests wait meanwhile."""
        read: dict[bytes, tuple[bytes, str]] = {}
        cursor: int | None = None
        begun_at = time.monotonic()
        async with asyncio.timeout(10):
            while cursor != 0:
                # What is there all the time is in some page; of what changes meanwhile we hear.
                cursor, texts = await self._redis.hscan(ROUTES_KEY, cursor or 0, count=_PAGE)
                for name, text in cast(Mapping[bytes, bytes], texts).items():
                    known = self._read.get(name)
                    if known is None or known[0] != text or known[1] not in self._table:
                        known = self._take(name, text)
                    if known is not None:
                        read[name] = known
            whole = bool(await self._redis.exists(ROUTES_EPOCH_KEY)) and all_there
        self._heard_at = time.monotonic()
        self._table.heard()
        self._table.read_at = begun_at
        self._read = read
        if whole:
            self._table.keep({subdomain for _, subdomain in read.values()})
        self.ready.set()

    def _take(self, name: bytes, text: bytes) -> tuple[bytes, str] | None:
        try:
            route = Route.from_json(text)
        except (ValueError, TypeError, KeyError):
            logger.exception("route table: %r makes no sense", name)
            return None
        self._table.apply(route)
        return text, route.subdomain
