"""`make bench-restarts`: 300 requests a second, uploads and streams, while the router restarts.

Kept and new connections, bodies that take a second to send, streams that take half a second. Prints
`failed: N`: answers that were refused, cut or missing. A restart begins once the one before serves.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.router import measure, world
from benchmarks.router.world import Target

RATE = 300
_KEPT = 20  # connections; each sends a tenth of a second's share
_UPLOAD_BYTES = 2_000_000
_SETTLE_SECONDS = 1.0


class Load:
    """Callers of every kind, and what became of their requests."""

    def __init__(self, target: Target) -> None:
        self.answered: Counter[str] = Counter()
        self.failed: list[str] = []
        self._port = target.port
        self._stopping = False

    async def run(self, until: "asyncio.Task[None]") -> None:
        """Call until this task is done."""
        callers = [
            *(asyncio.create_task(self._keep(RATE * 2 / 3 / _KEPT)) for _ in range(_KEPT)),
            *(asyncio.create_task(self._anew(RATE / 3 / 4)) for _ in range(4)),
            *(asyncio.create_task(self._repeat("upload", self._upload)) for _ in range(2)),
            *(asyncio.create_task(self._repeat("stream", self._stream)) for _ in range(2)),
        ]
        await until
        self._stopping = True
        await asyncio.gather(*callers)

    async def _keep(self, rate: float) -> None:
        connection = None
        while not self._stopping:
            try:
                connection = connection or await self._connect()
                body, closes = await _ask(*connection, measure.head("/v1/vary"))
                self._note("kept", body.startswith(b'{"generated_text'))
                if closes:
                    connection[1].close()
                    connection = None
            except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                self.failed.append(f"kept: {error!r}")
                connection = None
            await asyncio.sleep(1 / rate)

    async def _anew(self, rate: float) -> None:
        async def once() -> bool:
            reader, writer = await self._connect()
            body, _ = await _ask(reader, writer, measure.head("/v1/vary"))
            writer.close()
            return body.startswith(b'{"generated_text')

        await self._repeat("anew", once, pause=1 / rate)

    async def _upload(self) -> bool:
        reader, writer = await self._connect()
        head = measure.head("/v1/upload", host="slow", body=b"x" * _UPLOAD_BYTES)
        for start in range(0, len(head), 100_000):
            writer.write(head[start : start + 100_000])
            await writer.drain()
            await asyncio.sleep(0.05)
        body, _ = await _ask(reader, writer, b"")
        writer.close()
        return body == b"taken"

    async def _stream(self) -> bool:
        reader, writer = await self._connect()
        writer.write(measure.head("/v1/events", host="slow", method="GET", body=b""))
        data = await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()
        return data.startswith(b"HTTP/1.1 200") and data.count(b"data: ") == 20

    async def _repeat(
        self, kind: str, once: Callable[[], Awaitable[bool]], *, pause: float = 0.0
    ) -> None:
        while not self._stopping:
            try:
                self._note(kind, await once())
            except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                self.failed.append(f"{kind}: {error!r}")
            await asyncio.sleep(pause)

    def _note(self, kind: str, whole: bool) -> None:
        self.answered[kind] += 1
        if not whole:
            self.failed.append(f"{kind}: not the answer")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes
) -> tuple[bytes, bool]:
    """The body of the answer, and whether the connection ends with it."""
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(head.split(b"\r\n")[0].decode())
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
    return await reader.readexactly(length), b"\r\nConnection: close" in head


async def _restart(target: Target, count: int) -> None:
    for _ in range(count):
        before = set(measure.tree(target.pid))
        os.kill(target.pid, signal.SIGHUP)
        while not set(measure.tree(target.pid)) - before:
            await asyncio.sleep(0.05)
        await asyncio.sleep(_SETTLE_SECONDS)


async def _run(target: Target, count: int) -> Load:
    load = Load(target)
    await load.run(asyncio.create_task(_restart(target, count)))
    return load


def main() -> None:
    """Restart under load, and say what failed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory(prefix="bench-router-") as folder, ExitStack() as stack:
        made = stack.enter_context(world.world(Path(folder)))
        target = stack.enter_context(world.dormouse(made))
        started = time.monotonic()
        load = asyncio.run(_run(target, count))
        seconds = time.monotonic() - started
    for kind, answered in sorted(load.answered.items()):
        print(f"answered {kind}: {answered}")
    print(f"requests_per_second: {load.answered.total() / seconds:.0f}")
    for failure in load.failed[:20]:
        print(f"# {failure}")
    print(f"restarts: {count}")
    print(f"failed: {len(load.failed)}")
    sys.exit(1 if load.failed else 0)


if __name__ == "__main__":
    main()
