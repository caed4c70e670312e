"""Caps that can't be overspent: a request goes in only when what it may cost is covered.

This process holds leases: units it may spend under a cap without asking anybody. A request takes
what it may cost from the lease of each of its caps before it seeks a slot, and gives it back when
it turns out to cost nothing. More is asked for ahead of need; what nobody needs is returned.

A lease that could not be renewed in time is not spent from; until then, nothing of it is returned
to a control plane that doesn't answer. Without it, and while there is too little, requests wait for
a moment, and are answered 402 or, when nobody can say, 503.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hosting.router import answers
from hosting.router.answers import Problem
from hosting.router.targets import Kind
from hosting.wire import LeaseAnswer, LeaseStatement, leases_key

if TYPE_CHECKING:
    from hosting.router.exchange import Exchange
    from hosting.router.node import Node
    from hosting.router.spool import Spool

logger = logging.getLogger(__name__)

# How long a lease is spent from without a word of the control plane: as long as a private model is
# served. There it stays counted as spent until this process is proved gone, however silent it is.
LEASE_SECONDS: Final = 60.0
_TELL_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 2.0
_QUIET_SECONDS: Final = 2.0  # units that nobody took for so long are returned
_FORGET_SECONDS: Final = 30.0
# Before more is asked for, after an answer that said there was too little.
_PAUSES: Final = {"": 0.0, "elsewhere": 0.25, "used_up": 1.0}


class Lease:
    """Units of one cap. `granted`, `returned` and `spent` only grow."""

    def __init__(self, cap: str, number: int, *, now: float) -> None:
        self.cap = cap
        self.number = number
        self.sequence = 0
        self.granted = 0
        self.returned = 0
        self.spent = 0
        self.reserved = 0  # by requests that have not ended
        self.needed = 0  # by the next request
        self.enough = 0  # below this, more is asked for
        self.short = ""
        self.closing = False
        self.told_at = self.heard_at = -1.0
        self.heard_sequence = -1
        self.taken_at = now

    def free(self, *, now: float) -> int:
        """What may be taken now."""
        if now - self.heard_at > LEASE_SECONDS or self.closing:
            return 0
        return self.unspent - self.reserved

    @property
    def unspent(self) -> int:
        """What is held here, promised to requests or not."""
        return self.granted - self.returned - self.spent

    def used_up(self, *, now: float) -> bool:
        """Whether nobody has more, as was heard a moment ago."""
        return self.short == "used_up" and now - self.heard_at < _PAUSES["used_up"]

    def due(self, *, now: float) -> bool:
        """Whether it is time to say something of it."""
        if self.needed and now - self.told_at >= _PAUSES[self.short]:
            return True
        idle = not self.unspent and now - self.taken_at > _FORGET_SECONDS
        return now - self.told_at >= _TELL_SECONDS and (self.granted > self.returned or idle)

    def state(self, *, now: float, last: bool) -> LeaseStatement:
        """What to tell the control plane; quiet units are given up with it."""
        heard = self.heard_sequence == self.sequence
        if last or (heard and now - self.taken_at > _QUIET_SECONDS):
            self.returned += max(0, self.unspent - self.reserved)
            self.closing = last or (not self.unspent and now - self.taken_at > _FORGET_SECONDS)
        self.sequence += 1
        self.told_at = now
        return LeaseStatement(
            cap=self.cap,
            number=self.number,
            sequence=self.sequence,
            spent=self.spent,
            returned=self.returned,
            wanted=0 if self.closing else self._wanted(),
            closing=self.closing,
        )

    def _wanted(self) -> int:
        """What is needed beside what is free; when it is only running low, as much again."""
        lacking = self.needed - (self.unspent - self.reserved)
        return lacking if lacking > 0 else self.needed

    def hear(self, answer: LeaseAnswer) -> None:
        """Take the answer to the last statement."""
        grown = answer.granted - self.granted
        if grown > 0:
            self.enough = grown // 2
        self.granted = max(self.granted, answer.granted)
        self.heard_at = self.told_at
        self.heard_sequence = answer.sequence
        self.short = answer.short
        self.needed = 0


class Cover(NamedTuple):
    """What one request holds of its leases."""

    leases: list[Lease]
    units: int

    def end(self, *, billable: bool) -> None:
        """The request is over, and in the spool."""
        for lease in self.leases:
            lease.reserved -= self.units
            if billable:
                lease.spent += self.units


class Leases:
    """The leases of one process, and the requests that wait for units."""

    def __init__(self, node: Node, spool: Spool) -> None:
        self._node = node
        self._spool = spool
        self._leases: dict[str, Lease] = {}
        self._numbers = 0
        self._waiting: deque[tuple[Exchange, float]] = deque()
        self._news = asyncio.Event()

    def cover(self, exchange: Exchange) -> bool:
        """Take what a request may cost from its leases; False: it waits, or was refused."""
        units = _reserve(exchange)
        if not units:
            return True
        now = time.monotonic()
        leases = self._of(exchange, now=now)
        if self._take(exchange, leases, units, now=now):
            return True
        node, limits = self._node, self._node.limits
        if any(lease.used_up(now=now) and lease.free(now=now) < units for lease in leases):
            exchange.give_up(answers.BUDGET_EXHAUSTED)
        elif node.held >= limits.held_per_process or node.buffered_bytes > limits.held_bytes:
            exchange.give_up(answers.TOO_MANY_HELD)
        else:
            exchange.queued = True
            node.held += 1
            self._waiting.append((exchange, now))
        return False

    def _of(self, exchange: Exchange, *, now: float) -> list[Lease]:
        route = exchange.endpoint.route
        caps = route.caps
        if exchange.token_id in route.capped_tokens:
            caps = (*caps, f"token:{exchange.token_id}")
        return [self._leases.get(cap) or self._open(cap, now=now) for cap in caps]

    def _open(self, cap: str, *, now: float) -> Lease:
        self._numbers += 1
        lease = self._leases[cap] = Lease(cap, self._numbers, now=now)
        return lease

    def _take(self, exchange: Exchange, leases: list[Lease], units: int, *, now: float) -> bool:
        """Take from all or from none, and ask for more where it is running out."""
        found = True
        for lease in leases:
            free = lease.free(now=now)
            found = found and free >= units
            if free - units < lease.enough or free < units:
                lease.needed = units
                if lease.due(now=now):
                    self._news.set()
        if found:
            for lease in leases:
                lease.reserved += units
                lease.taken_at = now
            exchange.cover = Cover(leases, units)
        return found

    # --- asking

    async def run(self, redis: Redis) -> None:
        """Ask, tell and return for ever. What is lost on the way is said again."""
        # Whatever a process before this one held can be settled as soon as we are heard of.
        while not await self._tell([], at=time.time()):
            await asyncio.sleep(_TELL_SECONDS)
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await self._news.wait()
            self._news.clear()
            now = time.monotonic()
            due = [lease for lease in self._leases.values() if lease.due(now=now)]
            if due:
                try:
                    await self._ask(redis, due)
                except (RedisError, OSError, TimeoutError) as error:
                    logger.warning("leases: nobody says what may be spent: %s", error)
                    await asyncio.sleep(_PAUSES["elsewhere"])
            self._go_on()

    async def farewell(self) -> None:
        """Return everything: nobody is served here any more."""
        now = time.monotonic()
        last = [lease.state(now=now, last=True) for lease in self._leases.values()]
        if last:
            await self._tell(last, at=time.time())

    async def _ask(self, redis: Redis, due: list[Lease]) -> None:
        now, at = time.monotonic(), time.time()
        statements = [lease.state(now=now, last=False) for lease in due]
        if not await self._tell(statements, at=at):
            raise TimeoutError("the nudge was not sent")
        end = now + _ANSWER_SECONDS
        while any(lease.heard_sequence < lease.sequence for lease in due):
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("the control plane doesn't answer")
            said = await redis.blpop([leases_key(self._spool.name)], timeout=min(1.0, left))
            if said is not None:
                self._hear(cast(bytes, said[1]))

    async def _tell(self, statements: list[LeaseStatement], *, at: float) -> bool:
        """Say it; False when it wasn't sent, or before the spool had room for a first line."""
        boot = self._spool.boot
        if not boot:
            return False
        return await self._node.nudge_leases(boot=boot, at=at, statements=statements)

    def _hear(self, text: bytes) -> None:
        for each in json.loads(text):
            answer = LeaseAnswer(**each)
            lease = self._leases.get(answer.cap)
            if lease is None or answer.number != lease.number or answer.sequence != lease.sequence:
                continue
            lease.hear(answer)
            if answer.ended:
                # Requests that are out keep their part of it; the next one opens another lease.
                del self._leases[answer.cap]

    def _go_on(self) -> None:
        """Let in who is covered now, and tell the others when waiting is pointless."""
        now = time.monotonic()
        waiting, self._waiting = self._waiting, deque()
        for exchange, since in waiting:
            if exchange.over:
                continue
            units = _reserve(exchange)
            leases = self._of(exchange, now=now)
            if not units or self._take(exchange, leases, units, now=now):
                exchange.queued = False
                self._node.held -= 1
                exchange.set_out()
                continue
            problem = self._hopeless(leases, units, since=since, now=now)
            if problem is None:
                self._waiting.append((exchange, since))
            else:
                exchange.give_up(problem)

    def _hopeless(
        self, leases: list[Lease], units: int, *, since: float, now: float
    ) -> Problem | None:
        lacking = [lease for lease in leases if lease.free(now=now) < units]
        if any(lease.short == "used_up" and lease.heard_at >= since for lease in lacking):
            return answers.BUDGET_EXHAUSTED
        if now - since < self._node.limits.budget_seconds:
            return None
        heard = all(lease.heard_at >= since for lease in lacking)
        return answers.BUDGET_EXHAUSTED if heard else answers.BUDGET_UNKNOWN


def _reserve(exchange: Exchange) -> int:
    """What the request may cost at most."""
    route = exchange.endpoint.route
    if exchange.kind == Kind.QUERY:
        return route.query_reserve
    return route.other_reserve if exchange.kind == Kind.OTHER else 0
