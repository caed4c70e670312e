"""Whether a model answers: asked of the model itself, never of the port alone."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Protocol

from hosting.protocols.base import ModelProtocol, Readiness, Settings

PROBE_TIMEOUT_SECONDS = 5.0
MOST_BODY_BYTES = 65_536


class Probe(Protocol):
    """Asks one address once."""

    def __call__(
        self, host: str, port: int, *, protocol: ModelProtocol, settings: Settings
    ) -> Readiness:
        """What the model says of itself; CLOSED when nobody is there to say it."""


def probe(host: str, port: int, *, protocol: ModelProtocol, settings: Settings) -> Readiness:
    """Ask the model's readiness route once, or just connect where it has none."""
    path = protocol.health_path(settings)
    try:
        if path is None:
            socket.create_connection((host, port), timeout=PROBE_TIMEOUT_SECONDS).close()
            return Readiness.READY
        connection = http.client.HTTPConnection(host, port, timeout=PROBE_TIMEOUT_SECONDS)
        connection.connect()
    except OSError:
        return Readiness.CLOSED
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        return protocol.readiness(answer.status, answer.read(MOST_BODY_BYTES))
    return Readiness.WAITING


def complaint(
    *, protocol: ModelProtocol, settings: Settings, listened: bool, within_seconds: int
) -> str:
    """Why a model counts as not started although it runs, and what its owner can look at."""
    late = f"It did not become ready within {within_seconds} s"
    if listened:
        path = protocol.health_path(settings)
        return (
            f"{late}: it takes connections, but GET {path} never said so. Check that path and the"
            " logs, or give it longer to start."
        )
    port = settings.port or protocol.default_port
    return (
        f"{late}: nothing took connections on port {port}. It has to listen on 0.0.0.0, at the"
        f" port in {protocol.port_variable}. Check that and the logs, or give it longer to start."
    )


def intervals() -> Iterator[float]:
    """Seconds between probes: 10 ms for the first second, then ever slower."""
    for _ in range(100):
        yield 0.010
    for _ in range(40):
        yield 0.025
    for _ in range(30):
        yield 0.1
    for _ in range(40):
        yield 0.25
    while True:
        yield 0.5
