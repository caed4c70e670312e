"""Notices that this process stood still, as one does that is stopped: nobody waited for it.

The control plane stops a model once every router that shows life has let go of it. A router that
stood still for longer than its lease may not know, so it reads the table before it sends anything.
"""

from __future__ import annotations

import asyncio
from typing import Final

from hosting.router.clocks import monotonic
from hosting.router.routes import RouteTable
from hosting.wire import ROUTER_LEASE_SECONDS

# Well within the lease, which counts from the last report. By then the table is due to be read.
STANDSTILL_SECONDS: Final = ROUTER_LEASE_SECONDS / 2
_LONGEST_WAIT: Final = 1.0  # Redis may be away: then the table is what it is
_LOOK_SECONDS: Final = 0.01


class Standstill:
    """Whether what the table says was waited for. A process that runs keeps `due` ahead of it."""

    def __init__(self, table: RouteTable) -> None:
        self.due = float("inf")  # when a tick has been missed for too long; from the first one on
        self._table = table
        self._catching_up: asyncio.Task[None] | None = None

    def tick(self, now: float) -> None:
        """Called a few times a second, while this process runs."""
        if self._catching_up is None:
            if now < self.due:
                self.due = now + STANDSTILL_SECONDS
            else:
                self._begin(now)

    async def over(self) -> None:
        """Wait, after a standstill, until the table was read anew; for a moment at most."""
        now = monotonic()
        if self._catching_up is None and now >= self.due:
            self._begin(now)
        if self._catching_up is not None:
            await asyncio.shield(self._catching_up)

    def _begin(self, since: float) -> None:
        self._catching_up = asyncio.get_running_loop().create_task(self._catch_up(since))

    async def _catch_up(self, since: float) -> None:
        while self._table.read_at < since and monotonic() < since + _LONGEST_WAIT:
            await asyncio.sleep(_LOOK_SECONDS)
        self.due = monotonic() + STANDSTILL_SECONDS
        self._catching_up = None
