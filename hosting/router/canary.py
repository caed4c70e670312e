"""Which of two revisions takes a request while one is tried as a canary."""

from __future__ import annotations

import time

from hosting.router.endpoints import Endpoint
from hosting.router.exchange import Exchange
from hosting.router.pool import Replica
from hosting.router.request_head import Request
from hosting.router.targets import Kind


class Diverted(Exchange):
    """A query that falls to the canary's share. It never waits there.

    What a canary has no room for, or doesn't take, the model's own endpoint does: whoever calls a
    model must not suffer from what its owner tries.
    """

    __slots__ = ()

    def seek_slot(self) -> None:
        endpoint = self.endpoint
        if endpoint is endpoint.own:
            super().seek_slot()
            return
        endpoint.try_refusing_again(time.monotonic() - self.node.limits.refused_seconds)
        replica = endpoint.take_slot()
        if replica is not None:
            self.go(replica)
        else:
            self._turn_back()

    def _wait_again(self, replica: Replica) -> None:
        endpoint = self.endpoint
        if endpoint is endpoint.own:
            super()._wait_again(replica)
            return
        self.come_back()
        now = time.monotonic()
        if not replica.retired:
            endpoint.refused(replica, now=now)
            self.node.nudge_reconcile(endpoint)
        endpoint.give_back(replica, now=now)
        self._turn_back()

    def _turn_back(self) -> None:
        own = self.endpoint.own
        self.state_line = own.state_line
        self.turn_to(own)


def choose(own: Endpoint, request: Request, kind: int) -> tuple[Endpoint, bool]:
    """The endpoint that takes this request, and whether by its share: else as it asks.

    A revision that takes no requests of the model can't be asked for: it has an address of its own.
    """
    canary = own.canary
    if canary is None:
        return own, False
    if request.revision is not None:
        named = request.revision == str(canary.route.revision).encode()
        return (canary if named else own), False
    shared = kind == Kind.QUERY or (kind == Kind.OTHER and canary.passes_through)
    if shared and request.upgrade is None and own.divert() is not None:
        return canary, True
    return own, False
