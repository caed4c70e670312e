"""Carries one request from a caller to a server behind us, and the answer back.

Here is what every such exchange has in common: framing, back-pressure, and that either side may go
at any moment. What a hosted model adds (slots, waiting, accounting) is in `exchange.py`, what the
dashboard adds in `dashboard.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hosting.router import answers
from hosting.router.answers import Problem
from hosting.router.clocks import monotonic
from hosting.router.model_connection import ModelConnection, Receiver
from hosting.router.request_head import Request
from hosting.router.response_head import Response

if TYPE_CHECKING:
    from hosting.router.caller import Caller
    from hosting.router.node import Node


_LOOK_SECONDS: Final = 5.0


class Relay(Receiver):
    """One request on its way. However it ends, `_release` runs once."""

    __slots__ = (
        "body",
        "body_done",
        "buffered",
        "caller",
        "chunking",
        "connection",
        "deadline",
        "endless",
        "look_at",
        "node",
        "over",
        "received",
        "request",
        "request_id",
        "sending",
        "sent",
        "started",
        "status",
    )

    def __init__(self, node: Node, caller: Caller, request: Request) -> None:
        self.node = node
        self.caller = caller
        self.request = request
        self.request_id = b""
        self.connection: ModelConnection | None = None
        self.body: bytes | list[bytes] = b""  # of the request, not sent yet
        self.buffered = 0
        self.received = 0
        self.body_done = False
        self.sending = False  # the head went to the server
        self.chunking = False  # the body goes to the server in chunks
        self.started = False  # the answer's head went to the caller
        self.status = 0
        self.sent = 0
        self.over = False
        self.deadline = 0.0
        self.look_at = 0.0
        self.endless = False  # a stream that doesn't end by itself, and whose caller comes back

    # --- from the caller

    def take_body(self, data: bytes, *, complete: bool) -> None:
        """More of the request's body."""
        self.received += len(data)
        self.body_done = complete
        if self.sending:
            self._send_body(data, complete=complete)
            return
        if data:
            self.keep_body(data)
        if complete:
            self.on_body_done()
        elif self.buffered >= self.node.limits.buffered_body_bytes:
            self.caller.pause_reading()

    def keep_body(self, data: bytes) -> None:
        """Keep a piece of the body until it can be sent."""
        if not self.body:
            self.body = data
        elif isinstance(self.body, list):
            self.body.append(data)
        else:
            self.body = [self.body, data]
        self.buffered += len(data)
        self.node.buffered_bytes += len(data)

    def on_body_done(self) -> None:
        """The whole body is here, and nothing of it has been sent."""

    def hang_up(self) -> None:
        """The caller is gone: so is the request, at once."""
        if not self.over:
            self._release(abort=True)

    def expire(self) -> None:
        """The deadline has passed."""
        self.give_up(answers.MODEL_TIMED_OUT)

    def tick(self, now: float) -> None:
        """Called a few times a second: see, now and then, whether the server's machine is there.

        The kernel looks by itself only while nothing that was sent is still to be taken.
        """
        if now < self.look_at:
            return
        first = not self.look_at
        self.look_at = now + _LOOK_SECONDS
        if not first and self.connection is not None and self.connection.unheard():
            self.connection.give_up()

    # --- towards the server

    def send(self, connection: ModelConnection, lines: list[bytes]) -> None:
        """Send the head, and what there is of the body; `lines` are all but the framing."""
        request = self.request
        self.connection = connection
        self.sending = True
        self.look_at = 0.0
        connection.begin(self, head_only=request.method == b"HEAD")
        if request.chunked and not self.body_done:
            self.chunking = True
            lines.append(b"Transfer-Encoding: chunked")
        elif request.chunked:
            lines.append(b"Content-Length: %d" % self.buffered)
        elif request.length or request.method not in (b"GET", b"HEAD", b"DELETE"):
            lines.append(b"Content-Length: %d" % request.length)
        body = self.body if isinstance(self.body, bytes) else b"".join(self.body)
        lines.append(b"")
        if self.chunking:
            lines.append(_chunk(body, last=False))
        else:
            lines.append(body)
        self._write(connection, b"\r\n".join(lines))
        if not self.body_done:
            self.forget_body()
            self.caller.resume_reading()

    def _send_body(self, data: bytes, *, complete: bool) -> None:
        connection = self.connection
        if connection is None:
            return  # the answer is already over: what is left of the body goes nowhere
        if self.chunking:
            data = _chunk(data, last=complete)
        if data:
            self._write(connection, data)

    def _write(self, connection: ModelConnection, data: bytes) -> None:
        connection.written += len(data)
        self.node.outbox.send(connection, data)

    def forget_body(self) -> None:
        """The body isn't needed any more."""
        self.node.buffered_bytes -= self.buffered
        self.buffered = 0
        self.body = b""

    def pause(self) -> None:
        """The server doesn't take more for now."""
        if not self.body_done:
            self.caller.pause_reading()

    def resume(self) -> None:
        """The server takes more again."""
        self.caller.resume_reading()

    # --- from the server

    def on_interim(self, response: Response) -> None:
        """Pass hints on; "100 Continue" is between the server and us."""
        if response.status != 100 and self.request.http11 and not self.started:
            lines = [answers.STATUS_LINES[response.status], *response.lines, b"", b""]
            self.caller.write(b"\r\n".join(lines))

    def on_upgrade(self, response: Response, data: bytes) -> None:
        """Nobody asked for it."""
        self.on_failure(garbled=True)

    def on_answer(self, response: Response, body: bytes, *, complete: bool) -> None:
        """The answer begins; often it is all there."""
        self.begin_answer(response, response.status, self.answer_lines(response), body, complete)

    def answer_lines(self, response: Response) -> list[bytes]:
        """The fields of the answer, without those that frame it."""
        if response.content_type is not None:
            response.lines.append(b"Content-Type: " + response.content_type)
        return response.lines

    def begin_answer(
        self, response: Response, status: int, lines: list[bytes], body: bytes, complete: bool
    ) -> None:
        """Send the head and what there is of the body in one piece."""
        caller = self.caller
        self.started = True
        self.status = status
        if response.length >= 0 and status != 204:
            lines.append(b"Content-Length: %d" % response.length)
        elif not response.bodiless and self.request.method != b"HEAD":
            body = self._frame_unknown_length(response, lines, body, complete)
        if not self.body_done:
            caller.keep_alive = False  # the rest of the body will not be read
        if not caller.keep_alive or caller.node.draining:
            caller.keep_alive = False
            lines.append(answers.CLOSE)
        elif not self.request.http11:
            lines.append(b"Connection: keep-alive")
        lines.insert(0, answers.STATUS_LINES[status])
        lines.append(b"")
        lines.append(body)
        data = b"\r\n".join(lines)
        self.sent = len(body)
        if complete:
            self.finish(data)
        else:
            caller.write(data)

    def _frame_unknown_length(
        self, response: Response, lines: list[bytes], body: bytes, complete: bool
    ) -> bytes:
        if not self.request.http11:
            self.caller.end_by_closing()
            return body
        self.caller.chunking = True
        lines.append(b"Transfer-Encoding: chunked")
        return _chunk(body, last=complete)

    def on_data(self, data: bytes, *, complete: bool) -> None:
        """More of the answer."""
        self.sent += len(data)
        if self.caller.chunking:
            data = _chunk(data, last=complete)
        if complete:
            self.finish(data)
        else:
            self.caller.write(data)

    def on_failure(self, *, garbled: bool) -> None:
        """The server died or made no sense."""
        self.connection = None
        self.give_up(answers.MODEL_GARBLED if garbled else answers.MODEL_DIED)

    # --- the end

    def finish(self, data: bytes) -> None:
        """The answer is whole: account for it, then send its last bytes."""
        if self.over:
            return
        caller = self.caller
        self._release(abort=False, last=data)
        caller.chunking = False
        caller.finish(b"", body_done=self.body_done)

    def give_up(self, problem: Problem) -> None:
        """Answer with a problem; once an answer has begun, only a cut connection is honest."""
        if self.over:
            return
        caller = self.caller
        if self.started:
            self._release(abort=True)
            caller.abort()
            return
        self.status = problem.status
        data = answers.refuse(
            problem,
            request_id=self.request_id,
            close=not caller.will_keep_alive(body_done=self.body_done),
            head_only=self.request.method == b"HEAD",
            lines=self.problem_lines(),
        )
        self._release(abort=True)
        caller.finish(data, body_done=self.body_done)

    def problem_lines(self) -> tuple[bytes, ...]:
        """What to say beside a problem."""
        return ()

    def _release(self, *, abort: bool, last: bytes = b"") -> None:
        """Let go of everything, once. `last`: what the caller has yet to get of its answer.

        It gets that once the request is written down, and before anything else is done: from here
        on, nobody waits for it.
        """
        self.over = True
        now = monotonic()
        connection = self.connection
        self.connection = None
        self.write_down(now=now)
        if last:
            self.caller.write(last)
        if connection is not None:
            connection.receiver = None
            reusable = connection.reusable and self.body_done and not abort
            self.let_go(connection, reusable=reusable, now=now)
        self.leave(now=now)
        if self.buffered:
            self.forget_body()

    def write_down(self, *, now: float) -> None:
        """Write down how it ended."""

    def let_go(self, connection: ModelConnection, *, reusable: bool, now: float) -> None:
        """The connection is free again."""
        connection.abort()

    def leave(self, *, now: float) -> None:
        """Give back whatever else it holds or waits for."""


def _chunk(data: bytes, *, last: bool) -> bytes:
    if not last:
        return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
