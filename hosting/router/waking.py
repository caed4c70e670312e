"""Requests that wait for a sleeping model, and the one wake they share.

One task per model looks after everybody who waits. It asks for a wake, asks again when nobody took
it, and tells the waiting when there is nothing to wait for. It never decides for a single request:
each has its own deadline, and a caller who hangs up just leaves the line.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Final

from hosting.router import answers
from hosting.router.answers import Problem
from hosting.router.endpoints import Endpoint
from hosting.states import State
from hosting.wire import Asker, Route

if TYPE_CHECKING:
    from hosting.router.exchange import Exchange
    from hosting.router.node import Node

_UNSENT_RETRY_SECONDS: Final = 1.0


class Waking:
    """Any number of requests may wait for a sleeping model; it is woken once."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tasks: set[asyncio.Task[None]] = set()

    def hold(self, exchange: Exchange, endpoint: Endpoint) -> Problem | None:
        """Put a request in line; or say why it may not wait."""
        own = endpoint.own
        if endpoint is not own and endpoint.route.revision == own.route.revision:
            exchange.turn_to(own)  # it became the current one while the body came
            return None
        node = self._node
        limits = node.limits
        problem = self._hopeless(endpoint.route)
        if problem is not None:
            return problem
        if _sleeps(endpoint) and not endpoint.route.may_be_woken_by(exchange.asker):
            return answers.MAY_NOT_WAKE
        if (
            len(endpoint.waiting) >= limits.held_per_model
            or node.held >= limits.held_per_process
            or node.buffered_bytes > limits.held_bytes
        ):
            return when_awake(answers.TOO_MANY_HELD, endpoint.route)
        exchange.queued = True
        node.held += 1
        endpoint.waiting.append(exchange)
        node.table.stir(endpoint)
        if not endpoint.reachable():
            exchange.cold = True
            self.look_after(endpoint)
        return None

    def look_after(self, endpoint: Endpoint) -> None:
        """Make sure somebody gets this model awake, as long as anybody waits."""
        if endpoint.waking:
            return
        endpoint.waking = True
        task = asyncio.get_running_loop().create_task(self._look_after(endpoint))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def poke(self, endpoint: Endpoint, asker: Asker) -> None:
        """Have a model woken without anybody waiting; at most every few seconds."""
        due = endpoint.nudged_at + self._node.limits.renudge_seconds
        route = endpoint.route
        if time.monotonic() < due or self._hopeless(route) is not None:
            return
        if route.may_be_woken_by(asker):
            self._node.nudge_wake(endpoint, asker)

    def resume(self, endpoint: Endpoint, asker: Asker, *, now: float) -> None:
        """Have a model woken that was paused with this request inside; it may always be."""
        if now - endpoint.nudged_at >= self._node.limits.renudge_seconds:
            self._node.nudge_wake(endpoint, asker)

    def close(self) -> None:
        """Look after nobody any more."""
        for task in self._tasks:
            task.cancel()

    def _hopeless(self, route: Route) -> Problem | None:
        """Why waiting can't help at this moment; None when it can."""
        if not route.active or route.removed:
            return answers.NOT_FOUND
        if route.state == State.FAILED and route.retry_at is not None:
            seconds = route.retry_at - time.time()
            if seconds > 0:
                return _wake_failed(route, seconds)
        return None

    async def _look_after(self, endpoint: Endpoint) -> None:
        patience = self._node.limits.control_plane_seconds
        news = asyncio.Event()
        endpoint.changed = news.set
        asked_of: tuple[int, int] | None = None  # the route when the wake was first asked for
        since = time.monotonic()
        try:
            while endpoint.waiting and not endpoint.reachable():
                known = endpoint.route
                now = time.monotonic()
                if known.state == State.AWAKENING:
                    since = now
                problem = self._hopeless(known) or self._failed_since(known, asked_of)
                # While a worker lives, what keeps it waits, too: its engine, or a node, is away.
                alone_since = max(endpoint.in_trouble_since(since), self._node.table.tended_at)
                if problem is None and now - alone_since >= patience:
                    problem = answers.CONTROL_PLANE_UNAVAILABLE
                if problem is not None:
                    _refuse_all(endpoint, problem)
                    return
                if known.state != State.AWAKENING:
                    asked_of = asked_of or known.version
                    self._ask(endpoint, now=now)
                await self._news(news, endpoint)
        finally:
            endpoint.waking = False
            endpoint.changed = None

    def _failed_since(self, route: Route, asked_of: tuple[int, int] | None) -> Problem | None:
        if route.state == State.FAILED and asked_of is not None and route.version > asked_of:
            return _wake_failed(route, 5.0)
        return None

    async def _news(self, news: asyncio.Event, endpoint: Endpoint) -> None:
        news.clear()
        try:
            async with asyncio.timeout(0.5):
                await news.wait()
        except TimeoutError:
            endpoint.try_refusing_again(time.monotonic() - self._node.limits.refused_seconds)

    def _ask(self, endpoint: Endpoint, *, now: float) -> None:
        if now - endpoint.nudged_at < self._node.limits.renudge_seconds:
            return
        if endpoint.state == State.AWAKE and endpoint.replicas:
            self._node.nudge_reconcile(endpoint)
            return
        # In the name of the first who may; the others wait along.
        route = endpoint.route
        for waiter in endpoint.waiting:
            asker = waiter.asker
            if route.may_be_woken_by(asker):
                self._node.nudge_wake(endpoint, asker)
                return
        _refuse_all(endpoint, answers.MAY_NOT_WAKE)


def when_awake(problem: Problem, route: Route) -> Problem:
    """The same problem, to be tried again when the model is usually awake."""
    seconds = eta_seconds(route, now=time.time())
    return problem._replace(retry_after=math.ceil(seconds)) if seconds else problem


def eta_seconds(route: Route, *, now: float) -> float | None:
    """How long until it answers, as far as its last wakes tell; `now` in unix seconds."""
    if route.replicas:
        return 0.0
    if route.wake_seconds is None:
        return None
    passed = now - route.since if route.state == State.AWAKENING else 0.0
    pause = max(0.0, route.retry_at - now) if route.retry_at else 0.0
    return round(pause + max(0.0, route.wake_seconds - passed), 3)


def _sleeps(endpoint: Endpoint) -> bool:
    """Whether somebody would have to wake it: nobody has, as far as we know."""
    return not endpoint.waking and endpoint.state not in (State.AWAKE, State.AWAKENING)


def _wake_failed(route: Route, seconds: float) -> Problem:
    reason = route.failure_reason or "Look at its logs."
    return answers.WAKE_FAILED.saying(
        f"The model did not start: {reason}", retry_after=max(1, math.ceil(seconds))
    )


def _refuse_all(endpoint: Endpoint, problem: Problem) -> None:
    while endpoint.waiting:
        endpoint.waiting[0].refuse_waiting(problem)
