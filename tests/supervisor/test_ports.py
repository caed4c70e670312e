"""A busy port is one clear line."""

import os
import socket
from collections.abc import Iterator

import pytest

from supervisor import ports
from supervisor.errors import SetupFailed


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_busy_port_is_named_with_its_process_and_what_to_do(busy: int):
    with pytest.raises(
        SetupFailed, match=rf"Port {busy} is taken by process \d+ \(.+DORMOUSE_PORT"
    ):
        ports.listen_addresses(busy)


def test_the_dashboard_takes_any_free_port_when_its_own_is_busy(busy: int):
    assert ports.free_port(busy) != busy


def test_a_free_port_is_listened_on_at_the_loopback_addresses_only(busy: int):
    addresses = ports.listen_addresses(ports.free_port(busy))

    assert {address.rpartition(":")[0] for address in addresses} <= {"127.0.0.1", "[::1]"}


def test_only_the_process_that_listens_is_said_to_listen(busy: int):
    assert ports.listens(os.getpid(), port=busy)
    assert not ports.listens(os.getppid(), port=busy)
