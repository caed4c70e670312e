"""Many callers at once, with as little of our own time in the figures as Python allows."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as a caller got it; status 0: none."""

    status: int
    asked_at: float  # unix seconds, before the connection was opened
    first_byte_at: float
    body: dict[str, Any]

    @property
    def milliseconds(self) -> float:
        """From asking to the first byte."""
        return (self.first_byte_at - self.asked_at) * 1000


async def call(port: int, host: str) -> Answer:
    """One POST /v1/query on a connection of its own."""
    asked_at = time.time()
    writer = None
    try:
        async with asyncio.timeout(90):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"POST /v1/query HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\n"
                b"Content-Length: 2\r\nConnection: close\r\n\r\n{}" % host.encode()
            )
            first = await reader.read(1)
            first_byte_at = time.time()
            text = first + await reader.read()
    except (OSError, TimeoutError):
        return Answer(0, asked_at, time.time(), {})
    finally:
        if writer is not None:
            writer.close()
    head, _, body = text.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if b" " in head else 0
    return Answer(status, asked_at, first_byte_at, json.loads(body) if status == 200 else {})


async def together(port: int, hosts: list[str]) -> list[Answer]:
    """One caller per host named, all at once."""
    return list(await asyncio.gather(*(call(port, host) for host in hosts)))
