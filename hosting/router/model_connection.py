"""One connection to a replica: where a model's answer begins, and above all where it ends."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import TYPE_CHECKING, Final, cast

from httptools import HttpParserError, HttpResponseParser

from hosting.router import response_head
from hosting.router.llhttp import RESPONSES
from hosting.router.outbox import Sender
from hosting.router.response_head import Response

if TYPE_CHECKING:
    from hosting.router.pool import Replica

_MOST_HEAD: Final = 64 * 1024
_MOST_INTERIMS: Final = 10
# Linux's struct tcp_info: `tcpi_retransmits`, a byte, and `tcpi_bytes_acked`
_TCP_INFO_BYTES, _RETRANSMITS_AT = 192, 2
_BYTES_ACKED_AT, _BYTES_ACKED = 120, struct.Struct("Q")
# So often in a row, twice as long apart each time, something was sent again and nobody took it: for
# some 13 s at least.
_MOST_RETRANSMITS: Final = 6


class Receiver:
    """Who an answer is for. No protocol: of a class, compiled code finds the methods at once."""

    __slots__ = ()

    def on_answer(self, response: Response, body: bytes, *, complete: bool) -> None:
        """The head, and what came of the body with it."""

    def on_data(self, data: bytes, *, complete: bool) -> None:
        """More of the body, without its transfer coding."""

    def on_interim(self, response: Response) -> None:
        """A 1xx head before the answer."""

    def on_upgrade(self, response: Response, data: bytes) -> None:
        """101: from here on these are not HTTP bytes."""

    def on_failure(self, *, garbled: bool) -> None:
        """The connection ended, or stopped making sense, before the answer did."""

    def pause(self) -> None:
        """The model doesn't take more for now."""

    def resume(self) -> None:
        """The model takes more again."""


class _Mode:
    """What the next bytes from the model are."""

    HEAD: Final = 0
    LENGTH: Final = 1
    CHUNKED: Final = 2
    UNTIL_CLOSE: Final = 3
    TUNNEL: Final = 4
    DONE: Final = 5


class _Chunks:
    """What llhttp makes of a chunked body: its payload, and whether it is over."""

    __slots__ = ("complete", "excess", "pieces")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.complete = False
        self.excess = False

    def on_message_begin(self) -> None:
        self.excess = self.complete

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        self.complete = True

    def take(self) -> bytes:
        data = b"".join(self.pieces)
        self.pieces.clear()
        return data


class ModelConnection(Sender):
    """Carries one request at a time to a replica. Reusable only after a cleanly framed answer."""

    __slots__ = (
        "_before", "_buffer", "_chunks", "_head_only", "_interims", "_left", "_mode", "_parser",
        "idle_since", "older", "receiver", "replica", "reusable", "undelivered", "written",
    )  # fmt: skip

    def __init__(self, replica: Replica | None) -> None:
        super().__init__()
        # First what every request touches: so it lies together.
        self.receiver: Receiver | None = None
        self.older: ModelConnection | None = None  # the next of its replica's idle ones
        self.idle_since = 0.0
        self.written = 0
        self._before = 0  # written for the requests before this one
        self._mode = _Mode.HEAD
        self._interims = 0
        self._buffer = b""
        self.reusable = True
        self._head_only = False
        self.undelivered = False  # it ended before anything of the request reached the model
        self.replica = replica
        self._left = 0
        self._chunks: _Chunks | None = None
        self._parser: HttpResponseParser | None = None

    def begin(self, receiver: Receiver, *, head_only: bool) -> None:
        """The next answer is for this receiver."""
        self.receiver = receiver
        self._head_only = head_only
        self._mode = _Mode.HEAD
        self._buffer = b""
        self._interims = 0
        self._before = self.written

    def abort(self) -> None:
        """End it now; whoever received is not told."""
        self.receiver = None
        self.reusable = False
        if self.transport is not None:
            self.transport.abort()

    def unheard(self) -> bool:
        """Whether the other machine no longer takes what we send: it is gone, without a word.

        A model that reads nothing for now is another matter: its machine says so when asked.
        """
        info = self._tcp_info()
        return len(info) > _RETRANSMITS_AT and info[_RETRANSMITS_AT] >= _MOST_RETRANSMITS

    def give_up(self) -> None:
        """End it now; whoever received is told, and what became of the request."""
        self._settle()
        if self.transport is not None:
            self.transport.abort()

    def pause_reading(self) -> None:
        """Stop taking the answer: the caller is slower than the model."""
        if self.transport is not None and self.transport.is_reading():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take the answer again."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        if self.receiver is not None:
            self.receiver.pause()

    def resume_writing(self) -> None:
        if self.receiver is not None:
            self.receiver.resume()

    def data_received(self, data: bytes) -> None:
        receiver = self.receiver
        mode = self._mode
        if receiver is None or mode == _Mode.DONE:
            self.abort()  # bytes nobody asked for
        elif mode == _Mode.HEAD:
            self._read_head(receiver, data)
        elif mode == _Mode.LENGTH:
            self._read_counted(receiver, data)
        elif mode == _Mode.CHUNKED:
            self._read_chunked(receiver, data)
        else:
            receiver.on_data(data, complete=False)

    def _read_head(self, receiver: Receiver, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        end = data.find(b"\r\n\r\n") + 4
        if not 4 <= end <= _MOST_HEAD:
            if len(data) > _MOST_HEAD:
                self._fail(garbled=True)
            else:
                self._buffer = data
            return
        head, rest = data[:end], data[end:]
        try:
            response = response_head.read(head)
        except ValueError:
            self._fail(garbled=True)
            return
        if response.status < 200:
            self._interim(receiver, response, rest)
        else:
            self._begin_body(receiver, response, head, rest)

    def _interim(self, receiver: Receiver, response: Response, rest: bytes) -> None:
        if response.status == 101:
            self._mode = _Mode.TUNNEL
            self.reusable = False
            receiver.on_upgrade(response, rest)
            return
        self._interims += 1
        if self._interims > _MOST_INTERIMS:
            self._fail(garbled=True)
            return
        receiver.on_interim(response)
        if rest and self.receiver is not None:
            self._read_head(receiver, rest)

    def _begin_body(self, receiver: Receiver, response: Response, head: bytes, rest: bytes) -> None:
        self.reusable = response.keep_alive
        if self._head_only or response.bodiless:
            self.reusable = self.reusable and not rest
            self._mode = _Mode.DONE
            receiver.on_answer(response, b"", complete=True)
        elif response.chunked:
            self._begin_chunked(receiver, response, head, rest)
        elif response.length >= 0:
            left = response.length - len(rest)
            if left > 0:
                self._mode = _Mode.LENGTH
                self._left = left
                receiver.on_answer(response, rest, complete=False)
                return
            if left:
                self.reusable = False
                rest = rest[:left]
            self._mode = _Mode.DONE
            receiver.on_answer(response, rest, complete=True)
            if rest and not left:
                RESPONSES.end(rest)  # now, that the answer is on its way
        else:
            self._mode = _Mode.UNTIL_CLOSE
            self.reusable = False
            receiver.on_answer(response, rest, complete=False)

    def _begin_chunked(
        self, receiver: Receiver, response: Response, head: bytes, rest: bytes
    ) -> None:
        self._mode = _Mode.CHUNKED
        self._chunks = _Chunks()
        self._parser = HttpResponseParser(self._chunks)
        body = self._dechunk(head + rest)
        if body is None:
            self._fail(garbled=True)
        else:
            receiver.on_answer(response, body, complete=self._mode == _Mode.DONE)

    def _read_counted(self, receiver: Receiver, data: bytes) -> None:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            receiver.on_data(data, complete=False)
            return
        if left:
            self.reusable = False
            data = data[:left]
        self._mode = _Mode.DONE
        receiver.on_data(data, complete=True)

    def _read_chunked(self, receiver: Receiver, data: bytes) -> None:
        body = self._dechunk(data)
        if body is None:
            self._fail(garbled=True)
        elif body or self._mode == _Mode.DONE:
            receiver.on_data(body, complete=self._mode == _Mode.DONE)

    def _dechunk(self, data: bytes) -> bytes | None:
        chunks = self._chunks
        assert chunks is not None
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            if not chunks.complete:
                return None
            chunks.excess = True
        if chunks.complete:
            self._mode = _Mode.DONE
            self._chunks = self._parser = None
            if chunks.excess:
                self.reusable = False
        return chunks.take()

    def _fail(self, *, garbled: bool) -> None:
        receiver = self.receiver
        self.abort()
        if receiver is not None:
            receiver.on_failure(garbled=garbled)

    def connection_lost(self, exc: Exception | None) -> None:
        receiver = self.receiver
        self._settle()
        self.transport = None
        self.receiver = None
        self.reusable = False
        if receiver is None:
            if self.replica is not None:
                self.replica.forget(self)
        elif self._mode == _Mode.UNTIL_CLOSE and exc is None:
            self._mode = _Mode.DONE
            receiver.on_data(b"", complete=True)
        else:
            receiver.on_failure(garbled=False)

    def _settle(self) -> None:
        """Find out whether the other side has taken any of the request, while it can be asked."""
        if self.receiver is not None and self._mode == _Mode.HEAD and not self._buffer:
            self.undelivered = self.undelivered or self._acknowledged() <= self._before

    def _acknowledged(self) -> int:
        """How many bytes the other side has taken: what it refuses after its end isn't among them.

        Servers may close a kept connection at any time, also at the very moment it is used again.
        """
        info = self._tcp_info()
        if len(info) < _BYTES_ACKED_AT + _BYTES_ACKED.size:
            return sys.maxsize  # unknown: as if it had taken everything
        return int(_BYTES_ACKED.unpack_from(info, _BYTES_ACKED_AT)[0]) - 1  # the SYN counts

    def _tcp_info(self) -> bytes:
        """What the kernel knows of the connection; empty where it doesn't say."""
        if self.transport is None:
            return b""
        sock = self.transport.get_extra_info("socket")
        try:
            return bytes(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES))
        except (AttributeError, OSError):
            return b""
