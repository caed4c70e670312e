"""Connections to models."""

import asyncio
import socket

import pytest

from hosting.router.model_connection import ModelConnection
from hosting.router.pool import Replica, Served, dial
from hosting.wire import ReplicaAddress, Route
from tests.router.harness import free_port


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _options_of_a_connection() -> dict[str, int]:
    port = free_port()
    server = await asyncio.start_server(_hang_up, "127.0.0.1", port)
    async with server:
        address = ReplicaAddress(id=1, host="127.0.0.1", port=port)
        connection = await dial(Replica(address, Served(Route(1, "echo", 1))), seconds=5)
        assert connection.transport is not None
        sock = connection.transport.get_extra_info("socket")
        try:
            return {
                "keepalive": sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                "idle": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                "interval": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                "count": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
                "user timeout": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
            }
        finally:
            connection.abort()
            await asyncio.sleep(0.05)  # both sides see it


def test_the_kernel_ends_a_connection_to_a_machine_that_is_gone_for_20_seconds():
    found = asyncio.run(_options_of_a_connection())

    assert found["keepalive"] == 1
    assert found["idle"] + found["interval"] * found["count"] == 20
    assert found["user timeout"] == 0  # a model that reads slowly is alive


def _idle_since(*moments: float) -> tuple[Replica, list[ModelConnection]]:
    """A replica and its idle connections, each since its moment."""
    replica = Replica(ReplicaAddress(1, "127.0.0.1", 1), Served(Route(1, "echo", 1)))
    connections = [ModelConnection(replica) for _ in moments]
    for connection, moment in zip(connections, moments, strict=True):
        replica.put_back(connection, now=moment, most=len(moments))
    return replica, connections


def _taken(replica: Replica) -> list[ModelConnection]:
    found = []
    while (connection := replica.take(now=9.0, oldest=9.0)) is not None:
        found.append(connection)
    assert replica.idle == 0
    return found


def test_the_freshest_idle_connection_is_taken_first():
    replica, (one, two, three) = _idle_since(9.0, 9.0, 9.0)

    assert replica.idle == 3
    assert _taken(replica) == [three, two, one]


@pytest.mark.parametrize("gone", range(3))
def test_a_connection_that_the_other_side_closed_is_not_taken(gone: int):
    replica, connections = _idle_since(9.0, 9.0, 9.0)

    replica.forget(connections[gone])
    replica.forget(connections[gone])

    left = [each for each in reversed(connections) if each is not connections[gone]]
    assert replica.idle == 2
    assert _taken(replica) == left


@pytest.mark.parametrize("kept", range(4))
def test_connections_idle_for_too_long_are_closed_and_the_others_kept(kept: int):
    moments = [8.0] * (3 - kept) + [9.0] * kept
    replica, connections = _idle_since(*moments)

    replica.drop_older_than(8.5)

    assert replica.idle == kept
    assert [each.reusable for each in connections] == [moment == 9.0 for moment in moments]
    assert _taken(replica) == connections[3 - kept :][::-1]


def test_no_more_connections_are_kept_than_asked_and_none_by_a_replica_that_is_gone():
    replica, _ = _idle_since(9.0, 9.0)
    late = ModelConnection(replica)
    replica.put_back(late, now=9.0, most=2)
    assert (replica.idle, late.reusable) == (2, False)

    replica.retire()
    later = ModelConnection(replica)
    replica.put_back(later, now=9.0, most=2)
    assert (replica.idle, later.reusable) == (0, False)
