"""`/metrics` on a port of its own, and the access log: both read what the hot path left behind."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hosting.wire import UsageEvent

if TYPE_CHECKING:
    from hosting.router.node import Node

_PREFIX: Final = "dormouse_router_"
_MOST_LINES: Final = 50_000
_HEAD_SECONDS: Final = 5.0


def render(node: Node, *, name: str) -> str:
    """Everything this process counts, as Prometheus reads it."""
    counters = node.counters
    lines = [
        f'{_PREFIX}requests_total{{worker="{name}",outcome="{outcome}"}} {count}'
        for outcome, count in sorted(counters.outcomes.items())
    ]
    lines += [
        f'{_PREFIX}refusals_total{{worker="{name}",code="{code}"}} {count}'
        for code, count in sorted(counters.refusals.items())
    ]
    now = time.monotonic()
    for what, value in {
        "connections_total": counters.connections,
        "connections": len(node.callers),
        "held": node.held,
        "in_flight": sum(endpoint.in_flight for endpoint in node.table.astir()),
        "buffered_bytes": node.buffered_bytes,
        "nudges_total": counters.nudges,
        "unwritten_events_total": counters.unwritten,
        "routes": len(node.table),
        "route_table_age_seconds": round(node.table.age(now=now), 3),
        "draining": int(node.draining),
    }.items():
        lines.append(f'{_PREFIX}{what}{{worker="{name}"}} {value}')
    return "\n".join(lines) + "\n"


async def serve(node: Node, *, name: str, host: str, port: int) -> asyncio.Server:
    """Answer whoever connects to this port; it is for the operator's network only."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            found = head.startswith((b"GET /metrics ", b"GET /ready "))
            ready = b"draining\n" if node.draining else b"ready\n"
            body = ready if head.startswith(b"GET /ready ") else render(node, name=name).encode()
            status = b"200 OK" if found else b"404 Not Found"
            if node.draining and body is ready:
                status = b"503 Service Unavailable"
            writer.write(
                b"HTTP/1.1 %b\r\nContent-Type: text/plain; version=0.0.4\r\n"
                b"Content-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body
            )
            await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port)


class AccessLog:
    """One JSON line per request that was admitted. The hot path only appends to a queue.

    When the disk can't keep up, lines are dropped and counted: the spool is what must not lose.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[tuple[bytes, str]] = deque()
        self._dropped = 0

    def note(self, spool_line: bytes, *, host: str) -> None:
        """Remember one request."""
        if len(self._waiting) < _MOST_LINES:
            self._waiting.append((spool_line, host))
        else:
            self._dropped += 1

    def flush(self) -> None:
        """Write what was noted; runs in a thread. The file is opened anew, so it can be rotated."""
        if not self._waiting and not self._dropped:
            return
        lines: list[str] = []
        while self._waiting and len(lines) < _MOST_LINES:
            spool_line, host = self._waiting.popleft()
            lines.append(json.dumps(_as_said(UsageEvent.from_line(spool_line), host)))
        if self._dropped:
            lines.append(json.dumps({"dropped": self._dropped}))
            self._dropped = 0
        with self._path.open("a") as file:
            file.write("\n".join(lines) + "\n")


def _as_said(event: UsageEvent, host: str) -> dict[str, object]:
    return {
        "at": event.arrived_at,
        "host": host,
        "id": event.id,
        "method": event.method,
        "route": event.route,
        "status": event.status,
        "outcome": event.outcome,
        "held_ms": event.held_ms,
        "model_ms": event.model_ms,
        "bytes_in": event.bytes_in,
        "bytes_out": event.bytes_out,
        "token_id": event.token_id,
    }
