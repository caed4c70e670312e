"""Connections to one replica: reused after cleanly framed answers, never shared between models."""

from __future__ import annotations

import asyncio
import select
import socket
from typing import Final, cast

from hosting.router.model_connection import ModelConnection
from hosting.wire import ReplicaAddress, Route

_STILL_SURE_SECONDS: Final = 0.5

# A machine that answers nothing for 20 s is gone. The kernel asks it only while it has taken all
# that was sent; else `ModelConnection.unheard` tells. No TCP_USER_TIMEOUT: it would also end the
# connection to a model that works and reads no more of an upload meanwhile.
_PROBES: Final = [
    (getattr(socket, name), seconds)
    for name, seconds in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 2))
    if hasattr(socket, name)  # Linux has them all
]


# Protocols whose servers read JSON whatever it is called, or must be told that it is JSON.
_ALWAYS_JSON: Final = frozenset({"runway", "cog"})


class Served:
    """What the replicas of one route serve: it stays true of a replica when the route moves on."""

    __slots__ = ("always_json", "info_path", "owners", "query_path", "revision_line")

    def __init__(self, route: Route) -> None:
        self.owners = b"%d\t%d\t%d" % (route.model_id, route.team_id, route.revision_id)
        self.query_path = route.query_path.encode()
        self.info_path = (route.info_path or "/").encode()
        self.always_json = route.protocol in _ALWAYS_JSON
        several = route.pinned or bool(route.beside)
        self.revision_line = b"X-Dormouse-Revision: %d\r\n" % route.revision if several else b""


class Replica:
    """One replica as this process uses it: its idle connections and its slots."""

    __slots__ = (
        "address", "freshest", "host_line", "idle", "in_flight", "refused_at", "refusing",
        "retired", "served",
    )  # fmt: skip

    def __init__(self, address: ReplicaAddress, served: Served) -> None:
        self.address = address
        self.served = served
        host = f"[{address.host}]" if ":" in address.host else address.host
        self.host_line = f"Host: {host}:{address.port}".encode()
        # A stack that runs through the connections: a list would be two lines of memory more.
        self.freshest: ModelConnection | None = None
        self.idle = 0
        self.in_flight = 0
        self.retired = False
        self.refusing = False  # refused connections for a while: nobody is sent there
        self.refused_at = -1e9

    def take(self, *, now: float, oldest: float) -> ModelConnection | None:
        """An idle connection that is worth trying; the freshest one."""
        while (connection := self._pop()) is not None:
            idle_for = now - connection.idle_since
            if idle_for < _STILL_SURE_SECONDS or (idle_for < oldest and _quiet(connection)):
                return connection
            connection.abort()
        return None

    def _pop(self) -> ModelConnection | None:
        connection = self.freshest
        if connection is not None:
            self.freshest = connection.older
            connection.older = None
            self.idle -= 1
        return connection

    def put_back(self, connection: ModelConnection, *, now: float, most: int) -> None:
        """Keep a connection for the next request."""
        if self.retired or self.idle >= most:
            connection.abort()
            return
        connection.idle_since = now
        connection.older = self.freshest
        self.freshest = connection
        self.idle += 1

    def forget(self, connection: ModelConnection) -> None:
        """The other side closed an idle connection."""
        fresher, each = None, self.freshest
        while each is not None and each is not connection:
            fresher, each = each, each.older
        if each is not None:
            self._cut(fresher, each.older)
            connection.older = None
            self.idle -= 1

    def drop_older_than(self, moment: float) -> None:
        """Close connections that have been idle since before this moment."""
        fresher, each = None, self.freshest
        while each is not None and each.idle_since >= moment:
            fresher, each = each, each.older
        if each is None:
            return
        self._cut(fresher, None)
        while each is not None:
            older, each.older = each.older, None
            self.idle -= 1
            each.abort()
            each = older

    def _cut(self, fresher: ModelConnection | None, older: ModelConnection | None) -> None:
        """Let this one follow that one, or be the freshest."""
        if fresher is None:
            self.freshest = older
        else:
            fresher.older = older

    def retire(self) -> None:
        """No new requests go here."""
        self.retired = True
        while (connection := self._pop()) is not None:
            connection.abort()


def _quiet(connection: ModelConnection) -> bool:
    """Whether the other side has said nothing: an unread FIN would lose the request."""
    transport = connection.transport
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return not poll.poll(0)


async def dial(replica: Replica, *, seconds: float) -> ModelConnection:
    """Open a connection; OSError when nobody answers."""
    connection = ModelConnection(replica)
    protocol = cast(asyncio.Protocol, connection)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        transport, _ = await loop.create_connection(
            lambda: protocol, replica.address.host, replica.address.port
        )
    _probe_machine(transport.get_extra_info("socket"))
    return connection


def _probe_machine(sock: socket.socket) -> None:
    """Have the kernel end a connection whose other machine is gone without a word.

    A model may be silent for minutes while it works; its machine answers for it.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _PROBES:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
