"""Which runtime this machine can offer, decided once so that every process agrees."""

import http.client
import os
import socket
from urllib.parse import urlsplit

from supervisor.errors import SetupFailed

_DEFAULT_HOST = "unix:///var/run/docker.sock"
_HOW = "Start one with scripts/start_engine.sh"


def choose(wanted: str) -> tuple[str, str]:
    """The runtime to use and, when it is second best, a line that says so."""
    if wanted == "process":
        return "process", "Models run as plain processes: nothing isolates them from this machine."
    if answers():
        return ("docker" if wanted == "auto" else wanted), ""
    if wanted in ("docker", "swarm"):
        raise SetupFailed(f"No Docker engine answers at {_host()}. {_HOW}, as root.")
    return "process", (
        "No Docker engine answers: models run as plain processes, which isolates nothing. "
        f"{_HOW}, as root, and start again."
    )


def answers() -> bool:
    """Whether a container engine answers; asked of the engine itself, no client needed."""
    parts = urlsplit(_host())
    connection = http.client.HTTPConnection("docker", timeout=3)
    try:
        if parts.scheme == "unix":
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(3)
            connection.sock.connect(parts.path)
        else:
            address = (parts.hostname or "", parts.port or 2375)
            connection.sock = socket.create_connection(address, timeout=3)
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _host() -> str:
    return os.environ.get("DOCKER_HOST") or _DEFAULT_HOST
