"""Asks the web process for route changes while Redis says nothing.

What was revoked, switched off or deleted meanwhile is thereby known within about a second. While
the web process or its database is away too, the table stays as it is.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import time
from typing import Final

from hosting.router.config import Address
from hosting.router.routes import RouteTable
from hosting.router.table_feed import TableFeed
from hosting.wire import INQUIRY_HOST, INQUIRY_PATH, Route

logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = 0.8
_ANSWER_SECONDS: Final = 5.0


class TableInquiry:
    """One asker. `run` never ends by itself."""

    def __init__(self, web: Address, *, proof: str, feed: TableFeed, table: RouteTable) -> None:
        self._web = web
        self._proof = proof
        self._feed = feed
        self._table = table
        self._answers = True  # the web process does, as far as we know

    async def run(self) -> None:
        """Ask for as long as the feed has lost Redis."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            if self._feed.lost():
                await self._ask()

    async def _ask(self) -> None:
        begun_at = time.monotonic()
        try:
            while not await self._take_some():
                pass
        except (OSError, http.client.HTTPException, ValueError, TypeError, KeyError) as error:
            if self._answers:
                logger.warning("route table: the web process does not tell of changes: %s", error)
            self._answers = False
            return
        if not self._answers:
            logger.warning("route table: the web process tells of changes again")
        self._answers = True
        self._table.complete = True
        self._table.read_at = begun_at
        self._feed.ready.set()

    async def _take_some(self) -> bool:
        """Apply one answer; True when it left nothing out."""
        known = json.dumps(self._table.generations())
        routes, whole = await asyncio.to_thread(self._post, known)
        for route in routes:
            self._table.apply(route)
        self._table.heard()
        return whole or not routes

    def _post(self, known: str) -> tuple[list[Route], bool]:
        web = self._web
        connection = http.client.HTTPConnection(web.host, web.port, timeout=_ANSWER_SECONDS)
        headers = {
            "Host": INQUIRY_HOST,
            "Authorization": f"Bearer {self._proof}",
            "Content-Type": "application/json",
        }
        try:
            connection.request("POST", INQUIRY_PATH, body=known, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise http.client.HTTPException(f"it answers {answer.status}")
        said = json.loads(text)
        return [Route.of(each) for each in said["routes"]], bool(said["whole"])
