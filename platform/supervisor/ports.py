"""Who listens where: asked before anything starts, so that a busy port is one clear line."""

import errno
import socket
from pathlib import Path

from supervisor.errors import SetupFailed

LOOPBACKS = ("127.0.0.1", "::1")


def listen_addresses(port: int) -> list[str]:
    """Both loopback addresses, as HOST:PORT; ::1 only on a machine that has it.

    Browsers and curl try ::1 first for `*.localhost`.
    """
    addresses = []
    for host in LOOPBACKS:
        trouble = _trouble(host, port)
        if trouble == errno.EADDRINUSE:
            raise SetupFailed(busy(port))
        if trouble == errno.EACCES:
            raise SetupFailed(
                f"Port {port} needs root. Choose one above 1023: make up DORMOUSE_PORT=8000"
            )
        if trouble is None:
            addresses.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    return addresses


def free_port(preferred: int) -> int:
    """`preferred`, or any free one when something listens there."""
    if preferred <= 65535 and _trouble("127.0.0.1", preferred) is None:
        return preferred
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _trouble(host: str, port: int) -> int | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # As servers do: connections of the last run that still time out don't count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen()
    except OSError as error:
        return error.errno
    return None


def busy(port: int) -> str:
    """Say who has the port, and what to do."""
    who = _listener(port)
    by = f" by process {who}" if who else ""
    return (
        f"Port {port} is taken{by}. Stop it, or choose another: make up DORMOUSE_PORT={port + 80}"
    )


def listens(pid: int, *, port: int) -> bool:
    """Whether this very process holds a listening socket on the port."""
    inodes = _listening(port)
    return any(_target(descriptor) in inodes for descriptor in Path(f"/proc/{pid}/fd").glob("*"))


def _listener(port: int) -> str:
    """The pid and name of the process that listens on a port, where /proc tells us."""
    inodes = _listening(port)
    for descriptor in Path("/proc").glob("[0-9]*/fd/*") if inodes else []:
        if _target(descriptor) in inodes:
            process = descriptor.parent.parent
            return f"{process.name} ({(process / 'comm').read_text().strip()})"
    return ""


def _listening(port: int) -> set[str]:
    """The listening sockets of a port, as /proc names them."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        file = Path(table)
        for line in file.read_text().splitlines()[1:] if file.exists() else []:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:  # another user's, or gone since
        return ""
