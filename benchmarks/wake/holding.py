"""Very many callers of one waking model: a second router on the same system, its bounds raised."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from benchmarks import stack
from benchmarks.wake import callers, subject
from benchmarks.wake.phases import Wakes

_MODEL_CONCURRENCY = 64  # they are let in so many at a time
_START_SECONDS = 30.0


def hold(*, count: int) -> tuple[Wakes, float]:
    """Have so many callers wait for one wake; also the router's memory for each, in bytes."""
    model = subject.create(900, concurrency=_MODEL_CONCURRENCY)
    found = Wakes()
    with _router(held=count) as (port, pid):
        asyncio.run(callers.together(port, [subject.host(model)]))  # it knows the model
        subject.sleep(model, deep=True)
        answers, grown = asyncio.run(_together(port, [subject.host(model)] * count, pid=pid))
    found.add(answers)
    return found, grown / count


async def _together(port: int, hosts: list[str], *, pid: int) -> tuple[list[callers.Answer], int]:
    """All at once, and how far the router's memory grew meanwhile."""
    before = most = _memory(pid)
    calls = asyncio.ensure_future(callers.together(port, hosts))
    while not calls.done():
        await asyncio.sleep(0.02)
        most = max(most, _memory(pid))
    return await calls, most - before


@contextlib.contextmanager
def _router(*, held: int) -> Iterator[tuple[int, int]]:
    """Its port, and the process id of its one worker."""
    port = stack.free_port()
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-spool-") as spool:
        command = [sys.executable, "-m", "hosting.router", "--base-domain", settings.BASE_DOMAIN]
        command += ["--listen", f"127.0.0.1:{port}", "--spool", spool, "--router-id", "bench"]
        command += ["--limit", f"held_per_model={held}", "--limit", f"held_per_process={held}"]
        environment = os.environ | {"REDIS_URL": settings.REDIS_URL}
        with subprocess.Popen(command, env=environment, cwd=stack.ROOT) as process:
            try:
                yield port, _worker_of(process.pid, port=port)
            finally:
                process.terminate()
                process.wait(60)


def _worker_of(parent: int, *, port: int) -> int:
    deadline = time.monotonic() + _START_SECONDS
    children = Path(f"/proc/{parent}/task/{parent}/children")
    while time.monotonic() < deadline:
        found = children.read_text().split()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            if found:
                time.sleep(1)  # the route table is read, and it is counted among the routers
                return int(found[0])
        time.sleep(0.1)
    raise SystemExit("The second router did not start.")


def _memory(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
