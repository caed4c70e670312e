"""`python -m benchmarks.router.fuzz [COUNT] [SEED]`: broken requests against a running router.

Whatever comes, the router must neither end, nor hang, nor grow, nor blame itself (5xx; 501 and 505
are the caller's). A plain request in between must be answered as ever. A seed makes it repeatable.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from benchmarks.router import measure, world
from benchmarks.router.world import Target

_AT_ONCE = 24
_PATIENCE_SECONDS = 10.0
_BATCH = 5000
_CALLERS_FAULT = frozenset({501, 505})

SEEDS = [
    measure.head("/v1/query", body=b'{"prompt": "a"}'),
    measure.head("/v1", method="GET", body=b""),
    measure.head("/v1/vary?a=1", method="PUT", body=b"abc"),
    measure.head("/v1/query").replace(b"Content-Length: 2", b"Transfer-Encoding: chunked")[:-2]
    + b"5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
    measure.head("/v1/query").replace(b"Accept", b"Expect: 100-continue\r\nAccept"),
    measure.head("/v1/info", method="OPTIONS", body=b""),
    measure.head("http://m0.models.localhost/v1/info", method="GET", body=b""),
    measure.head("/v1/ws", method="GET", body=b"").replace(
        b"Content-Length: 0", b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a"
    ),
]  # fmt: skip
SPLICES = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"Content-Length: 5\r\n", b"-1",
    b"99999999999",
    b"Transfer-Encoding: chunked\r\n", b"Host: x\r\n", b"Connection: close\r\n", b"%2e%2e/", b"//",
    b"\xff", b"\x7f", b"HTTP/1.0", b"HTTP/2.0", b"0\r\n\r\n", b"A" * 5000, b"X: y\r\n" * 90,
    b"Connection: Authorization, Host\r\n", b"Expect: 100-continue\r\n", b"\r\n\r\n",
]  # fmt: skip


def mutated(order: random.Random) -> bytes:
    """One request, broken in one to six places; sometimes two in a row."""
    data = bytearray(order.choice(SEEDS))
    if order.random() < 0.2:
        data += order.choice(SEEDS)
    for _ in range(order.randint(1, 6)):
        at = order.randrange(len(data) + 1)
        way = order.random()
        if way < 0.3:
            data[at:at] = order.choice(SPLICES)
        elif way < 0.5:
            data[at : at + order.randint(1, 20)] = b""
        elif way < 0.7 and at < len(data):
            data[at] = order.randrange(256)
        elif way < 0.85:
            data[at:at] = data[at : at + order.randint(1, 60)]
        else:
            del data[at:]
        data = data or bytearray(b"G")
    return bytes(data)


async def send(port: int, data: bytes, *, patience: float) -> list[int]:
    """The statuses the bytes got; TimeoutError when the connection hangs."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        writer.write(data)
        try:
            async with asyncio.timeout(patience):
                received = await reader.read(1 << 16)
        except TimeoutError:
            pass
        writer.write_eof()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while more := await reader.read(1 << 16):
                received += more
    except ConnectionError:
        pass  # cut off: a legal answer to nonsense
    finally:
        writer.close()
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]


async def batch(port: int, order: random.Random, count: int, statuses: Counter[int]) -> None:
    """Send so many, a few at once."""
    # Made beforehand: who is sent when depends on the machine, what is sent must not.
    left = iter([(mutated(order), order.choice((0.0, 0.002, 0.05))) for _ in range(count)])

    async def sender() -> None:
        for data, patience in left:
            try:
                got = await send(port, data, patience=patience)
            except TimeoutError:
                sys.exit(f"The router hangs on {data!r}")
            statuses.update(got)
            if any(status >= 500 and status not in _CALLERS_FAULT for status in got):
                sys.exit(f"The router blames itself ({got}) for {data!r}")

    await asyncio.gather(*(sender() for _ in range(_AT_ONCE)))


def run(target: Target, *, count: int, seed: int) -> None:
    """All batches; says how it went."""
    order = random.Random(seed)
    statuses: Counter[int] = Counter()
    asyncio.run(send(target.port, SEEDS[0], patience=30.0))  # the worker is up
    workers = measure.tree(target.pid)
    memory: list[int] = []
    started = time.monotonic()
    for done in range(0, count, _BATCH):
        asyncio.run(batch(target.port, order, min(_BATCH, count - done), statuses))
        healthy = asyncio.run(send(target.port, SEEDS[0], patience=5.0))
        if healthy != [200] or measure.tree(target.pid) != workers:
            sys.exit(f"The router is not well after {done + _BATCH} requests: {healthy}")
        memory.append(measure.memory_kib(target.pid))
    seconds = time.monotonic() - started
    print(
        f"{count} mutated requests (seed {seed}) in {seconds:.0f} s;"
        f" answers by status: {dict(sorted(statuses.items()))}"
    )
    print(f"memory_kib after the first batch: {memory[0]}, after the last: {memory[-1]}")


def main() -> None:
    """Start a router and fuzz it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory(prefix="fuzz-router-") as folder, ExitStack() as stack:
        made = stack.enter_context(world.world(Path(folder)))
        run(stack.enter_context(world.dormouse(made)), count=count, seed=seed)


if __name__ == "__main__":
    main()
