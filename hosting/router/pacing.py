"""Requests beyond a rate limit: they wait for their turn, or learn when to come back.

The client of the documented routes repeats a 429 at once and without end. There a request waits
until the limit lets it go, at most a moment; who would have to wait longer is held for that moment,
too, and then gets a 503. Other clients are told 429 at once.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hosting.router import answers
from hosting.router.endpoints import Endpoint
from hosting.router.targets import Kind

if TYPE_CHECKING:
    from hosting.router.exchange import Exchange
    from hosting.router.node import Node


class Pacing:
    """Holds requests until it is their turn. A caller who hangs up meanwhile just leaves."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def holds(self, exchange: Exchange, endpoint: Endpoint) -> bool:
        """Whether a request can't go in now; it is then looked after here."""
        most = self._node.limits.pace_seconds
        processes = self._node.table.processes
        now = time.monotonic()
        token_id, paces = exchange.token_id, endpoint.own.paces  # revisions share them
        wait = paces.wait(token_id, now=now, processes=processes)
        waits = exchange.kind != Kind.OTHER
        if not wait or (waits and wait <= most):
            paces.take(token_id, now=now, processes=processes)
            if wait:
                self._hold(exchange, wait, exchange.set_out)
            return wait > 0
        problem = answers.RATE_LIMITED._replace(retry_after=math.ceil(wait))
        if waits:
            self._hold(exchange, most, lambda: exchange.give_up(problem))
        else:
            exchange.give_up(problem._replace(status=429))
        return True

    def leave(self, exchange: Exchange) -> None:
        """Hold this request no longer."""
        if exchange.pacing is not None:
            exchange.pacing.cancel()
            exchange.pacing = None
            self._node.held -= 1

    def _hold(self, exchange: Exchange, seconds: float, then: Callable[[], None]) -> None:
        node = self._node
        if (
            node.held >= node.limits.held_per_process
            or node.buffered_bytes > node.limits.held_bytes
        ):
            exchange.give_up(answers.TOO_MANY_HELD)
            return
        node.held += 1

        def go_on() -> None:
            self.leave(exchange)
            then()

        exchange.pacing = asyncio.get_running_loop().call_later(seconds, go_on)
