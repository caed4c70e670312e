"""The parent of the router's processes: it owns the listening sockets and serves nobody itself.

A restart (SIGHUP) starts new processes on the same sockets and then lets the old ones drain. The
sockets are never closed meanwhile, so connections in their queue are served, too. New processes are
new interpreters: they run the code that is installed by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from dataclasses import dataclass

from hosting.router import compiled

logger = logging.getLogger("router")

_READY_SECONDS = 30.0
_LAST_SECONDS = 640.0  # longer than a worker may drain
_PAUSE_SECONDS = 0.5  # before a process that died is replaced


@dataclass(slots=True)
class Worker:
    """One process, and whether it may end."""

    process: asyncio.subprocess.Process
    leaving: bool = False

    def leave(self) -> None:
        """Ask it to finish what it has and end."""
        self.leaving = True
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)


class Supervisor:
    """Keeps `count` workers running."""

    def __init__(self, arguments: list[str], sockets: list[socket.socket], *, count: int) -> None:
        self._arguments = arguments
        self._sockets = sockets
        self._count = count
        self._workers: list[Worker] = []
        self._watchers: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._restarting: asyncio.Task[None] | None = None
        self._restart_wanted = False
        # Workers hold the other end: when it closes, we are gone, and they drain and end.
        self._life = os.pipe()

    async def run(self) -> int:
        """Start, restart and replace workers until SIGTERM; the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._restart)
        if not await self._start_all():
            return 1
        logger.info(
            "serving on %s, as %s",
            ", ".join(_name(sock) for sock in self._sockets),
            "machine code" if compiled.in_use() else "plain Python",
        )
        await self._stopping.wait()
        for sock in self._sockets:
            sock.close()
        for worker in self._workers:
            worker.leave()
        os.close(self._life[1])  # nobody comes after these workers: they needn't wait for idlers
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await asyncio.gather(*self._watchers)
        return 0

    async def _start_all(self) -> bool:
        started = await asyncio.gather(*(self._start() for _ in range(self._count)))
        return all(started)

    async def _start(self) -> bool:
        """Start one worker; True once it serves."""
        ready, tell = os.pipe()
        handles = [sock.fileno() for sock in self._sockets]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hosting.router", *self._arguments,
            "--inherit", ",".join(map(str, handles)), "--tell", str(tell),
            "--life", str(self._life[0]),
            pass_fds=(*handles, tell, self._life[0]),
        )  # fmt: skip
        os.close(tell)
        worker = Worker(process)
        self._workers.append(worker)
        watcher = asyncio.create_task(self._watch(worker))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        try:
            return await _told(ready)
        finally:
            os.close(ready)

    async def _watch(self, worker: Worker) -> None:
        status = await worker.process.wait()
        self._workers.remove(worker)
        if worker.leaving or self._stopping.is_set():
            return
        logger.error("a worker ended with status %s; starting another", status)
        await asyncio.sleep(_PAUSE_SECONDS)
        if not self._stopping.is_set():
            await self._start()

    def _restart(self) -> None:
        self._restart_wanted = True
        if self._restarting is None or self._restarting.done():
            self._restarting = asyncio.create_task(self._restart_while_wanted())

    async def _restart_while_wanted(self) -> None:
        while self._restart_wanted and not self._stopping.is_set():
            self._restart_wanted = False
            await self._replace()

    async def _replace(self) -> None:
        """New workers first; only when they serve do the old ones leave."""
        old = [worker for worker in self._workers if not worker.leaving]
        logger.info("restarting")
        if not await self._start_all():
            logger.error("the new workers don't serve; the old ones stay")
            for worker in self._workers:
                if worker not in old:
                    worker.leave()
            return
        for worker in old:
            worker.leave()
        logger.info("restarted")


async def _told(ready: int) -> bool:
    """Whether a byte comes through the pipe before its other end closes."""
    loop = asyncio.get_running_loop()
    said: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        loop.remove_reader(ready)
        said.set_result(os.read(ready, 1))

    loop.add_reader(ready, read)
    try:
        async with asyncio.timeout(_READY_SECONDS):
            return bool(await said)
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(ready)


def _name(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
