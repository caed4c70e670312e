"""Starting child processes that can't outlive the process that started them."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
    cwd: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `argv` in its own session, output appended to `log`. Call it from the main thread.

    An own session keeps Ctrl-C to ourselves, so that the order of stopping is ours to choose. The
    kernel sends `death_signal` when the starting thread dies, even by kill -9.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            preexec_fn=tie_to_parent(death_signal),
        )


def stop(process: subprocess.Popen[Any], *, by: signal.Signals, grace_seconds: float) -> None:
    """Signal, wait, and kill what is left of its session. Gone already is success."""
    if process.poll() is None:
        process.send_signal(by)
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def tail(log: Path, *, lines: int = 3) -> str:
    """The last lines of a log, on one line, for an error message."""
    if not log.exists():
        return ""
    text = log.read_bytes()[-4000:].decode(errors="replace")
    return " / ".join(line.strip() for line in text.strip().splitlines()[-lines:])


def tie_to_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    # Loaded before the fork: between fork and exec a child may do almost nothing.
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)

    return tie
