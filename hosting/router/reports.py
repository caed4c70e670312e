"""Tells the control plane what this router has in flight: by this it puts models to sleep."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hosting.router.endpoints import RESTING, Endpoint
from hosting.router.routes import RouteTable
from hosting.wire import (
    ROUTER_LEASE_SECONDS,
    ROUTERS_KEY,
    WORKER_KEY,
    WORKER_SECONDS,
    Report,
    reports_key,
)

logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = 0.5
_AT_MOST_EVERY_SECONDS: Final = 0.02


def together(one: Report, other: Report) -> Report:
    """What is to say of two endpoints of one model."""
    return Report(
        generation=min(one.generation, other.generation),
        in_flight=one.in_flight + other.in_flight,
        idle_seconds=min(one.idle_seconds, other.idle_seconds),
        released=one.released and other.released,
        queued=one.queued + other.queued,
        replicas_in_use=one.replicas_in_use + other.replicas_in_use,
        beside={**one.beside, **other.beside},
    )


class Reporter:
    """One router's heartbeat, and its word on every model that is not at rest."""

    def __init__(self, redis: Redis, table: RouteTable, *, router_id: str) -> None:
        self._redis = redis
        self._table = table
        self._router_id = router_id
        self._news = asyncio.Event()
        table.on_released = self._released

    def _released(self, endpoint: Endpoint) -> None:
        self._news.set()

    async def run(self) -> None:
        """Report for ever: regularly, and at once when a drained model was let go."""
        while True:
            self._news.clear()
            try:
                async with asyncio.timeout(2):
                    await self.report()
                self._table.heard()
            except (RedisError, OSError, TimeoutError) as error:
                logger.warning("report not sent: %s", error)
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._news.wait()
                await asyncio.sleep(_AT_MOST_EVERY_SECONDS)
            except TimeoutError:
                pass

    async def report(self) -> None:
        """Write the whole report once."""
        now = time.monotonic()
        said: dict[int, Report] = {}
        for each in self._table.astir():
            if each.in_flight or each.waiting or each.route.state not in RESTING:
                model_id, report = each.route.model_id, each.report(now=now)
                known = said.get(model_id)
                said[model_id] = report if known is None else together(known, report)
        fields: dict[bytes | bytearray | memoryview | str | int | float, Any] = {
            str(model_id): report.to_json() for model_id, report in said.items()
        }
        wall = time.time()
        key = reports_key(self._router_id)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(key)
            pipeline.hset(key, mapping={"at": f"{wall:.3f}", **fields})
            pipeline.expire(key, ROUTER_LEASE_SECONDS)
            pipeline.zadd(ROUTERS_KEY, {self._router_id: wall})
            pipeline.zcount(ROUTERS_KEY, wall - ROUTER_LEASE_SECONDS, "+inf")
            pipeline.pttl(WORKER_KEY)
            *_, living, left_ms = await pipeline.execute()
        self._table.processes = max(1, living)
        if left_ms > 0:
            self._table.tended_at = now - max(0.0, WORKER_SECONDS - left_ms / 1000)

    async def farewell(self) -> None:
        """Be no longer among the routers."""
        try:
            async with asyncio.timeout(2):
                await self._redis.zrem(ROUTERS_KEY, self._router_id)
                await self._redis.delete(reports_key(self._router_id))
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("farewell not sent: %s", error)
