"""The processes of the installation, to be killed and frozen behind its supervisor's back."""

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

from django.conf import settings

# What the command line of each says.
NAMES = {
    "router": "hosting.router",
    "web": "uvicorn",
    "worker-lifecycle": "--queues lifecycle",
    "worker-default": "--queues default",
    "beat": "config.celery beat",
    "shipper": "ship_usage",
    "valkey": "valkey",
    "postgres": "postgres",
}


def kill(name: str) -> None:
    """End it and all its children at once; the supervisor starts it again."""
    for pid in _tree(name):
        _send(pid, signal.SIGKILL)


def freeze(name: str, *, seconds: float) -> threading.Timer:
    """Have it answer nothing and refuse nothing for so long. Returns at once."""
    pids = _tree(name)
    for pid in pids:
        _send(pid, signal.SIGSTOP)
    timer = threading.Timer(seconds, _thaw, [pids])
    timer.start()
    return timer


def _thaw(pids: list[int]) -> None:
    for pid in pids:
        _send(pid, signal.SIGCONT)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _tree(name: str) -> list[int]:
    supervisor = int((settings.STATE_DIR / "run" / "ready").read_text())
    wanted = [pid for pid in _children(supervisor) if NAMES[name] in _command(pid)]
    for pid in wanted:  # grows while it is walked
        wanted += _children(pid)
    return wanted


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
