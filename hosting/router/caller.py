"""One connection of a caller: where a request begins and ends, and whose turn it is.

A head is taken when it is whole and handed to llhttp; bodies are counted, or parsed by llhttp when
chunked. One request is answered at a time; what a caller sends ahead of its turn waits unread.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from typing import TYPE_CHECKING, Final, cast

from hosting.router import answers, front, request_head
from hosting.router.access import Shown
from hosting.router.answers import Problem
from hosting.router.clocks import monotonic
from hosting.router.llhttp import REQUESTS
from hosting.router.outbox import Sender
from hosting.router.relay import Relay
from hosting.router.request_body import Chunked
from hosting.router.request_head import Refused, Request

if TYPE_CHECKING:
    from hosting.router.node import Node


class Phase:
    """What the next bytes from the caller are."""

    HEAD: Final = 0
    BODY: Final = 1
    BUSY: Final = 2  # the request is complete; more is for later
    TUNNEL: Final = 3
    LINGER: Final = 4  # said our last word: whatever comes is dropped


_BARE: Final = re.compile(rb"(?<!\r)\n|\r(?=[^\n])")  # half an end of line
_POLL_CLOSED: Final = frozenset({7, 8})  # TCP_CLOSE, TCP_CLOSE_WAIT


class Caller(Sender):
    """One connection from outside."""

    __slots__ = (
        "_buffer", "_chunked", "_left", "_looping", "_paused", "_slow_bytes", "_slow_since",
        "address", "chunking", "closed", "deadline", "forwarded", "keep_alive", "max_body", "node",
        "phase", "relay", "resets", "served", "shown",
    )  # fmt: skip

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node
        self.phase = Phase.HEAD
        self.relay: Relay | None = None
        self.keep_alive = True  # after the answer under way
        self.resets = False  # the connection, when it ends before the answer does
        self.chunking = False  # the answer under way is chunked
        self.deadline = 0.0
        self.address = ""
        self.forwarded = b""
        self.max_body = 0
        self.served = 0
        self.shown = Shown()
        self.closed = False
        self._buffer = b""
        self._left = 0
        self._chunked: Chunked | None = None
        self._looping = False
        self._paused = False
        self._slow_since = 0.0
        self._slow_bytes = 0

    # --- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else "unknown"
        self.forwarded = b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\n" % (
            self.address.encode(),
            self.node.scheme,
        )
        self.deadline = monotonic() + self.node.limits.head_seconds
        if not self.node.welcome(self):
            self.keep_alive = False
            self.finish(answers.refuse(answers.TOO_MANY_CONNECTIONS, close=True), body_done=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.transport = None
        self.node.callers.discard(self)
        relay = self.relay
        self.relay = None
        self._buffer = b""
        if relay is not None:
            relay.hang_up()

    def pause_writing(self) -> None:
        if self.relay is not None and self.relay.connection is not None:
            self.relay.connection.pause_reading()

    def resume_writing(self) -> None:
        if self.relay is not None and self.relay.connection is not None:
            self.relay.connection.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        self._looping = True
        try:
            while data:
                phase = self.phase
                if phase == Phase.HEAD:
                    data = self._read_head(data)
                elif phase == Phase.BODY:
                    data = self._read_body(data)
                elif phase == Phase.TUNNEL and self.relay is not None:
                    self.relay.take_body(data, complete=False)
                    return
                else:
                    self._set_aside(data)
                    return
        except Refused as refused:
            self._refuse_and_close(refused.problem)
        finally:
            self._looping = False

    # --- reading

    def _read_head(self, data: bytes) -> bytes:
        if data[:1] in (b"\r", b"\n"):
            data = data.lstrip(b"\r\n")  # RFC 9112, 2.2: some clients end a body with one too many
        limits = self.node.limits
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            if len(data) > limits.head_bytes:
                raise Refused(_too_long(data, limits.target_bytes))
            if _BARE.search(data):  # else its end would be waited for in vain
                raise Refused(answers.BAD_REQUEST)
            if data and not self._buffer and self.served:
                self.deadline = min(self.deadline, monotonic() + limits.head_seconds)
            self._buffer = data
            return b""
        head = data[:end]
        if end > limits.head_bytes:
            raise Refused(_too_long(head, limits.target_bytes))
        request = request_head.read(head, most_fields=limits.head_fields)
        if len(request.target) > limits.target_bytes:
            raise Refused(answers.TARGET_TOO_LONG)
        return self._begin(request, head, data[end:])

    def _begin(self, request: Request, head: bytes, rest: bytes) -> bytes:
        """One request begins: let the node decide what it is."""
        self.served += 1
        self.keep_alive = request.keep_alive
        length = request.length
        if request.chunked:
            self._chunked = Chunked(head)
            self._left = 1
            body, complete = b"", False
        else:
            self._chunked = None
            body = rest[:length] if length else b""
            rest = rest[length:] if length else rest
            self._left = length - len(body)
            complete = not self._left
        self.phase = Phase.BUSY if complete else Phase.BODY
        if not complete:
            self._slow_since = monotonic()
            self._slow_bytes = 0
        front.serve(self.node, self, request, body, complete=complete)
        if body and complete:
            REQUESTS.end(body)  # now, that the request is on its way
        return rest

    def _read_body(self, data: bytes) -> bytes:
        self._slow_bytes += len(data)
        chunked = self._chunked
        if chunked is None:
            piece = data[: self._left]
            self._left -= len(piece)
            complete = not self._left
            rest = data[len(piece) :]
        else:
            piece = chunked.feed(data)
            complete = chunked.complete
            rest = b""
            if chunked.excess:
                self.keep_alive = False
        if complete:
            self.phase = Phase.BUSY
            self._left = 0
        relay = self.relay
        if relay is None:  # answered already: this is the rest of a body nobody wants
            if complete:
                self._next()
            return rest
        if chunked is not None and relay.received + len(piece) > self.max_body:
            relay.give_up(answers.BODY_TOO_LARGE)
            return b""
        relay.take_body(piece, complete=complete)
        return rest

    def _set_aside(self, data: bytes) -> None:
        if self.phase == Phase.LINGER:
            self._left += len(data)
            if self._left > self.node.limits.linger_bytes:
                self.abort()
            return
        self._buffer = data
        if len(data) > self.node.limits.pipelined_bytes:
            self.pause_reading()

    # --- answering

    def write(self, data: bytes) -> None:
        """Send; nothing happens when the caller is gone."""
        if data:
            self.node.outbox.send(self, data)

    def will_keep_alive(self, *, body_done: bool) -> bool:
        """Settle, before an answer is framed, whether another request may follow it."""
        if self.node.draining or not (body_done or self._short_rest()):
            self.keep_alive = False
        return self.keep_alive

    def _short_rest(self) -> bool:
        """Whether what is left of the body is worth reading to keep the connection."""
        return self._chunked is None and self._left <= self.node.limits.pipelined_bytes

    def finish(self, data: bytes, *, body_done: bool) -> None:
        """Send the last bytes of an answer; then the next request, or the end."""
        self.relay = None
        if self.transport is None:
            return
        if data:
            self.node.outbox.send(self, data)
        if self.resets:
            self._reset_when_closed(False)
        if not self.keep_alive:
            self._linger()
            return
        if self._paused:
            self.resume_reading()
        if body_done or self.phase == Phase.BUSY:
            self._next()
        else:
            self.deadline = monotonic() + self.node.limits.head_seconds

    def _next(self) -> None:
        """The connection is free for the next request."""
        self.phase = Phase.HEAD
        self._chunked = None
        if not self.keep_alive:
            self._linger()
            return
        self.deadline = monotonic() + self.node.limits.idle_seconds
        if self._buffer and not self._looping:
            self.data_received(b"")

    def _refuse_and_close(self, problem: Problem) -> None:
        """What came is not HTTP: nothing after it can be trusted."""
        self.keep_alive = False
        relay = self.relay
        if relay is not None:
            relay.body_done = False
            relay.give_up(problem)
        else:
            self.node.count_refusal(problem)
            self.finish(answers.refuse(problem, close=True), body_done=False)

    def _linger(self) -> None:
        """Close, reading on for a moment: closing on unread bytes would reset the answer away."""
        self.node.outbox.flush()
        transport = self.transport
        if transport is None:
            return
        if self.phase == Phase.BUSY and not self._buffer and not self._looping:
            transport.close()
            self.phase = Phase.LINGER
            return
        self.phase = Phase.LINGER
        self._left = 0
        self._buffer = b""
        self.deadline = monotonic() + self.node.limits.linger_seconds
        if self._paused:
            self.resume_reading()
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def _close(self) -> None:
        """Close once everything is sent."""
        self.node.outbox.flush()
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Cut the connection: the only honest end of an answer that can't be completed."""
        if self.transport is not None:
            self.transport.abort()

    def pause_reading(self) -> None:
        """Take no more from the caller for now."""
        if not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take more from the caller again."""
        if self._paused and self.transport is not None and not self.transport.is_closing():
            self._paused = False
            self._slow_since = monotonic()
            self._slow_bytes = 0
            self.transport.resume_reading()

    def close_if_idle(self) -> None:
        """Close a connection on which nothing is under way that would end by itself."""
        idle = self.relay is None and self.phase == Phase.HEAD and not self._buffer
        if idle and (self.served or self.node.last):
            self._close()
        elif self.relay is not None and self.relay.endless:
            self.abort()

    def end_by_closing(self) -> None:
        """The answer under way ends with the connection: until it is whole, any end is a reset.

        Even that of this process: else HTTP/1.0 callers would take a cut answer for a whole one.
        """
        self.keep_alive = False
        self._reset_when_closed(True)

    def _reset_when_closed(self, on: bool) -> None:
        self.resets = on
        sock = self.transport.get_extra_info("socket") if self.transport is not None else None
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", on, 0))

    def become_tunnel(self) -> None:
        """From here on the bytes are the model's and the caller's business."""
        self.phase = Phase.TUNNEL
        self.keep_alive = False
        if self._buffer and self.relay is not None:
            data, self._buffer = self._buffer, b""
            self.relay.take_body(data, complete=False)

    # --- time

    def tick(self, now: float) -> None:
        """Called a few times a second: enforce whatever has run out."""
        relay = self.relay
        if relay is None:
            if now >= self.deadline:
                self._out_of_time()
            return
        relay.tick(now)
        if now >= relay.deadline:
            relay.expire()
        elif self._paused:
            if self._gone_unnoticed():
                self.abort()
        elif self.phase == Phase.BODY:
            self._demand_progress(relay, now)

    def _out_of_time(self) -> None:
        if self.phase == Phase.LINGER or (self.phase == Phase.HEAD and not self._buffer):
            self._close() if self.phase == Phase.HEAD else self.abort()
        elif self.phase == Phase.BODY:
            self.abort()
        else:
            self._refuse_and_close(answers.HEAD_TIMEOUT)

    def _demand_progress(self, relay: Relay, now: float) -> None:
        limits = self.node.limits
        elapsed = now - self._slow_since
        if elapsed < limits.slow_body_after_seconds:
            return
        if self._slow_bytes < elapsed * limits.slow_body_bytes_per_second:
            self._refuse_and_close(answers.BODY_TIMEOUT)
            return
        self._slow_since = now
        self._slow_bytes = 0

    def _gone_unnoticed(self) -> bool:
        """Whether the caller left while we weren't reading: the kernel knows."""
        sock = self.transport.get_extra_info("socket") if self.transport is not None else None
        if sock is None:
            return True
        try:
            info = sock.getsockopt(6, 11, 1)  # IPPROTO_TCP, TCP_INFO: its first byte is the state
        except OSError:
            return True
        return info[0] in _POLL_CLOSED


def _too_long(data: bytes, target_bytes: int) -> Problem:
    first = data.find(b"\r\n")
    if first < 0 or first > target_bytes:
        return answers.TARGET_TOO_LONG
    return answers.HEAD_TOO_LARGE
