"""What this process holds for one route: its replicas' slots, and who waits for one.

A model's own endpoint leads to its current revision. Each other revision in use has an endpoint of
its own `beside` it: its pinned address leads there, and a canary's share of the queries.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from hosting.protocols import inputs
from hosting.protocols.inputs import Misfit, Spec
from hosting.router.access import Tokens
from hosting.router.answers import NOT_FOUND, Problem
from hosting.router.paces import Paces
from hosting.router.pool import Replica, Served
from hosting.states import State
from hosting.wire import Asker, Report, Route

# Protocols whose servers have routes of their own under /v1 for callers to use.
PASS_THROUGH: Final = frozenset({"openai"})
# Protocols whose queries are objects with a value per input that /v1/info names.
DESCRIBED: Final = frozenset({"runway", "cog"})
RESTING: Final = (State.ASLEEP, State.DROWSY, State.FAILED)
MOST_CHECKED_BYTES: Final = 256 * 1024  # reading JSON keeps everybody else waiting


class Waiter(Protocol):
    """A request that waits for a slot."""

    def go(self, replica: Replica) -> None:
        """Take the slot and go in. The slot is the waiter's from here on."""

    def refuse_waiting(self, problem: Problem) -> None:
        """Waiting is pointless."""

    def turn_to(self, endpoint: Endpoint) -> None:
        """Ask for a slot there instead."""

    @property
    def asker(self) -> Asker:
        """Who waits."""


class Endpoint:
    """One route in this process. Lives as long as its route, or as anything uses it."""

    # What every request touches stands first: compiled, it lies together, in three lines of memory.
    tokens: Tokens
    replicas: tuple[Replica, ...]
    retired: tuple[Replica, ...]  # no longer in the route, still finishing
    waiting: deque[Waiter]
    in_flight: int
    limit: int
    max_body: int
    last_end: float
    timeout: float
    state_line: bytes
    canary: Endpoint | None  # takes `share` of a hundred queries
    trouble_since: float | None  # since when its replicas refuse connections
    unpaid_tokens: tuple[int, ...]
    active: bool
    public: bool
    capped: bool
    paced: bool
    payment_required: bool
    passes_through: bool
    info_at_hand: bool
    waking: bool  # whether `Waking` looks after it

    def __init__(self, route: Route, *, now: float) -> None:
        self.route = route
        self.served = Served(route)
        self.replicas = tuple([Replica(each, self.served) for each in route.replicas])
        self.retired = ()
        self.waiting = deque()
        self.in_flight = 0
        self.last_end = now
        self.beside: dict[int, Endpoint] = {}  # of the model's other revisions, by number
        self.own = self  # the model's own; another than this one when this one is `beside` it
        self.canary = None
        self.share = 0
        self._owed = 0
        self.nudged_at = -1e9
        self.trouble_since = None
        self.paces = Paces()
        self._read(route)
        self.waking = False
        self.changed: Callable[[], None] | None = None  # wakes whoever looks after it
        self.on_released: Callable[[Endpoint], None] | None = None

    def _read(self, route: Route) -> None:
        """Spread out what every request asks of the route.

        Values that many routes share are shared as objects, too: with a thousand models a request
        costs less for every cache line it does not touch.
        """
        self.owners = self.served.owners
        self.active = route.active
        self.public = route.public
        self.state_name = sys.intern(route.state)
        self.state_line = _shared(b"X-Dormouse-State: %b" % route.state.encode())
        self.limit = route.concurrency
        self.max_body = _shared(route.max_body_bytes)
        self.timeout = _shared(route.request_timeout_seconds)
        # Of a sleeper, what is known of it: a model that is awake answers for itself.
        self.info_at_hand = not route.info_path or (bool(route.info) and not route.replicas)
        self._inputs: Sequence[Spec] | bool | None = False  # not read yet
        self.payment_required = route.payment_required
        self.unpaid_tokens = route.unpaid_tokens
        self.capped = bool(route.caps or route.capped_tokens)
        self.passes_through = route.protocol in PASS_THROUGH
        self.tokens = Tokens(
            {bytes.fromhex(each): id_ for each, id_ in route.token_digests.items()},
            {bytes.fromhex(each): at for each, at in route.token_expiries.items()},
        )
        self.paces.apply(
            route.rate,
            {route.token_digests[each]: rate for each, rate in route.token_rates.items()},
        )
        self.paced = bool(self.paces)

    def apply(self, route: Route) -> None:
        """Take a newer route: keep the replicas that stay, let go of the others, let waiters in."""
        known = {replica.address: replica for replica in self.replicas}
        self.route = route
        self.served = served = Served(route)
        self.replicas = tuple(
            [known.pop(each) if each in known else Replica(each, served) for each in route.replicas]
        )
        for replica in self.replicas:
            replica.served = served
        for gone in known.values():
            gone.retire()
            if gone.in_flight:
                self.retired = (*self.retired, gone)
        self._read(route)
        self.nudged_at = -1e9  # a nudge was about the route as it was
        self.trouble_since = None
        self.let_in()
        if self.changed is not None:
            self.changed()

    def misfit_of(self, body: bytes) -> Misfit | None:
        """What is wrong with a query for a model that is not awake, as far as can be told."""
        if self.route.protocol not in DESCRIBED or len(body) > MOST_CHECKED_BYTES:
            return None
        if isinstance(self._inputs, bool):
            self._inputs = inputs.read_specs(self.route.info)
        return None if self._inputs is None else inputs.misfit_of(body, self._inputs)

    def withdraw(self) -> None:
        """The model is gone: nobody goes in any more, and nobody waits."""
        self.apply(replace(self.route, replicas=(), active=False, removed=True))
        while self.waiting:
            self.waiting[0].refuse_waiting(NOT_FOUND)

    def hand_over(self, heir: Endpoint) -> None:
        """This revision became the current one: who waits does so there."""
        self.apply(replace(self.route, replicas=()))
        while self.waiting:
            self.waiting.popleft().turn_to(heir)

    def divert(self) -> Endpoint | None:
        """The canary, for exactly as many of a hundred queries as its share says."""
        self._owed += self.share
        if self._owed < 100:
            return None
        self._owed -= 100
        return self.canary

    def take_slot(self) -> Replica | None:
        """Claim a slot of the least loaded replica, unless somebody was here first."""
        if self.waiting:
            return None
        return self._claim()

    def _claim(self) -> Replica | None:
        limit = self.limit
        best: Replica | None = None
        for replica in self.replicas:
            if replica.refusing or (limit and replica.in_flight >= limit):
                continue
            if best is None or replica.in_flight < best.in_flight:
                best = replica
        if best is not None:
            best.in_flight += 1
            self.in_flight += 1
        return best

    def give_back(self, replica: Replica, *, now: float) -> None:
        """Return a slot; the first in line gets it."""
        replica.in_flight -= 1
        self.in_flight -= 1
        self.last_end = now
        if self.waiting:
            self.let_in()
        if self.retired and not replica.in_flight and replica in self.retired:
            self.retired = tuple([each for each in self.retired if each is not replica])
        if not self.in_flight and not self.replicas and self.on_released is not None:
            self.on_released(self)

    def let_in(self) -> None:
        """Let waiters in, first come first served, as far as there are slots."""
        while self.waiting:
            replica = self._claim()
            if replica is None:
                return
            self.waiting.popleft().go(replica)

    @property
    def at_rest(self) -> bool:
        """Whether nothing goes on here, nor can before its route changes or somebody waits."""
        busy = self.replicas or self.in_flight or self.waiting
        return not busy and self.route.state in RESTING

    @property
    def gone(self) -> bool:
        """Whether the model was deleted, and nothing is inside any more that has yet to end."""
        return self.route.removed and not self.in_flight

    def reachable(self) -> bool:
        """Whether some replica takes connections, as far as we know."""
        return any(not replica.refusing for replica in self.replicas)

    def refused(self, replica: Replica, *, now: float) -> None:
        """Send nobody to this replica for a while."""
        replica.refusing = True
        replica.refused_at = now
        if self.trouble_since is None:
            self.trouble_since = now

    def try_refusing_again(self, moment: float) -> None:
        """Give another chance to the replicas that refused before this moment."""
        for replica in self.replicas:
            if replica.refusing and replica.refused_at < moment:
                replica.refusing = False
        self.let_in()

    def in_trouble_since(self, moment: float) -> float:
        """The earlier of this moment and the first refused connection."""
        return moment if self.trouble_since is None else min(moment, self.trouble_since)

    @property
    def state(self) -> State:
        """The state, as the route says it."""
        return State(self.state_name)

    def report(self, *, now: float) -> Report:
        """What to tell the control plane."""
        idle = 0.0 if self.in_flight or self.waiting else round(max(0.0, now - self.last_end), 3)
        return Report(
            generation=self.own.route.generation,
            in_flight=self.in_flight,
            idle_seconds=idle,
            released=not self.replicas and not self.in_flight,
            queued=len(self.waiting),
            replicas_in_use=tuple(
                each.address.id for each in (*self.replicas, *self.retired) if each.in_flight
            ),
            beside={self.route.revision: idle} if self.route.pinned else {},
        )


_values: Final[dict[object, Any]] = {}
_MOST_VALUES: Final = 4096


def _shared(value: Any) -> Any:
    if len(_values) >= _MOST_VALUES:
        _values.clear()
    return _values.setdefault((type(value), value), value)
