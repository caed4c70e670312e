"""One router process: what its connections share, and nothing else is shared."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Final, cast

from hosting import nudges
from hosting.router import answers
from hosting.router.answers import Problem
from hosting.router.caller import Caller
from hosting.router.config import Config
from hosting.router.counters import Counters
from hosting.router.endpoints import Endpoint
from hosting.router.leases import Leases
from hosting.router.metrics import AccessLog
from hosting.router.outbox import Outbox
from hosting.router.pacing import Pacing
from hosting.router.pool import Replica, Served
from hosting.router.routes import RouteTable
from hosting.router.spool import Spool, SpoolUnavailable
from hosting.router.standstill import Standstill
from hosting.router.usage import RequestIds
from hosting.router.waking import Waking
from hosting.wire import Asker, LeaseStatement, ReplicaAddress, Route

logger = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.2
_FLUSH_SECONDS: Final = 0.05
_UNSENT_RETRY_SECONDS: Final = 1.0

Nudge = Callable[[], bool]


class Node:
    """The shared state of one process."""

    def __init__(self, config: Config, *, spool: Spool) -> None:
        self.config = config
        self.limits = config.limits
        self.domain = "." + config.base_domain  # what every model's host name ends in
        self.scheme = config.scheme.encode()
        self.table = RouteTable(stale_after=config.limits.stale_seconds, clock=time.monotonic)
        self.standstill = Standstill(self.table)
        self.waking = Waking(self)
        self.leases = Leases(self, spool)
        self.pacing = Pacing(self)
        self.outbox = Outbox()
        self.request_ids = RequestIds()
        self.counters = Counters()
        self.callers: set[Caller] = set()
        self.held = 0
        self.buffered_bytes = 0
        self.draining = False
        self.last = False  # no other process takes over
        self.access_log = AccessLog(config.access_log) if config.access_log else None
        self.dashboard: Replica | None = None
        if config.dashboard is not None:
            address = ReplicaAddress(0, config.dashboard.host, config.dashboard.port)
            self.dashboard = Replica(address, Served(Route(0, "", 0)))
        self._spool = spool
        self._nudgers = ThreadPoolExecutor(2, thread_name_prefix="nudge")
        self._flusher = ThreadPoolExecutor(1, thread_name_prefix="flush")
        self._tasks: set[asyncio.Task[None]] = set()

    # --- callers

    def connect(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return cast(asyncio.Protocol, Caller(self))

    def welcome(self, caller: Caller) -> bool:
        """Take a connection in; False when there are too many."""
        if len(self.callers) >= self.limits.connections:
            return False
        self.callers.add(caller)
        self.counters.connections += 1
        return True

    def start_draining(self) -> None:
        """Answer what comes on open connections, and let each end with its answer."""
        self.draining = True

    # --- writing down

    def count_refusal(self, problem: Problem) -> None:
        """Count an answer of ours that belongs to no exchange."""
        refusals = self.counters.refusals
        refusals[problem.code] = refusals.get(problem.code, 0) + 1

    def spool_problem(self, *, now: float) -> Problem | None:
        """Why a request can't be written down: then it isn't served."""
        if self._spool.writable(now=now):
            return None
        return answers.SPOOL_UNAVAILABLE.saying(
            f"Requests can't be counted at the moment ({self._spool.problem}). Try again."
        )

    def write_down(self, line: bytes) -> None:
        """Append a usage event."""
        try:
            self._spool.append(line)
        except SpoolUnavailable:
            self.counters.unwritten += 1
            logger.exception("a usage event was not written: %r", line)

    def note(self, outcome: str, line: bytes, *, host: str) -> None:
        """Count a usage event in the metrics, and show it in the access log."""
        outcomes = self.counters.outcomes
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if self.access_log is not None:
            self.access_log.note(line, host=host)

    # --- nudges

    def nudge_wake(self, endpoint: Endpoint, asker: Asker) -> None:
        """Ask for a replica on behalf of this request."""
        url = self.config.redis_url
        known = endpoint.route
        if url is None:
            return
        revision = known.revision if known.pinned else 0
        self._nudge(
            endpoint,
            lambda: nudges.wake(url, model_id=known.model_id, asker=asker, revision=revision),
        )

    def nudge_reconcile(self, endpoint: Endpoint) -> None:
        """Ask to look whether the replicas are still there."""
        url = self.config.redis_url
        model_id = endpoint.route.model_id
        if url is None:
            return
        self._nudge(endpoint, lambda: nudges.reconcile(url, model_id=model_id))

    async def nudge_leases(self, *, boot: int, at: float, statements: list[LeaseStatement]) -> bool:
        """Say what this process holds under caps, and what it needs; False when it wasn't sent."""
        url = self.config.redis_url
        if url is None:
            return False
        said = [asdict(each) for each in statements]
        tell = partial(
            nudges.leases, url, router=self._spool.name, boot=boot, at=at, statements=said
        )
        return await asyncio.get_running_loop().run_in_executor(self._nudgers, tell)

    def _nudge(self, endpoint: Endpoint, nudge: Nudge) -> None:
        endpoint.nudged_at = time.monotonic()
        self.counters.nudges += 1
        task = asyncio.get_running_loop().create_task(self._send_nudge(endpoint, nudge))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_nudge(self, endpoint: Endpoint, nudge: Nudge) -> None:
        """Sending blocks on the broker: not on our loop. What wasn't sent is due again soon."""
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._nudgers, nudge):
            wait = self.limits.renudge_seconds - _UNSENT_RETRY_SECONDS
            endpoint.nudged_at = time.monotonic() - wait

    # --- time

    async def tick_for_ever(self) -> None:
        """Enforce deadlines: one walk over the connections costs less than a timer for each."""
        while True:
            now = time.monotonic()
            self.standstill.tick(now)
            for caller in list(self.callers):
                caller.tick(now)
            oldest = now - self.limits.pool_idle_seconds
            for endpoint in self.table.astir():
                for replica in endpoint.replicas:
                    if replica.idle:
                        replica.drop_older_than(oldest)
            await asyncio.sleep(TICK_SECONDS)

    async def flush_for_ever(self) -> None:
        """Bring the spool to the disk: what a power cut may take is this interval."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._spool.mark(connections=len(self.callers))
            if self._spool.unsynced or self.access_log is not None:
                await loop.run_in_executor(self._flusher, self._flush)

    def _flush(self) -> None:
        self._spool.flush()
        if self.access_log is not None:
            self.access_log.flush()

    def close(self) -> None:
        """End everything that still runs here."""
        self.waking.close()
        for task in self._tasks:
            task.cancel()
        self.outbox.flush()
        for caller in list(self.callers):
            caller.abort()
        self._nudgers.shutdown(wait=False, cancel_futures=True)
        self._flusher.shutdown(wait=True)
        self._flush()
        self._spool.close()
