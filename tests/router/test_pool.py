"""Connections to models."""

import asyncio
import socket

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
