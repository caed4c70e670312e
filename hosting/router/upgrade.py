"""WebSocket: the model is dialled first; only when it agrees is the caller told so."""

from __future__ import annotations

import time
from typing import Final

from hosting.router import access, answers
from hosting.router.exchange import Exchange
from hosting.router.model_connection import ModelConnection
from hosting.router.response_head import Response
from hosting.wire import Outcome

_LONGEST_CONTROL_FRAME: Final = 131
_RESTARTING: Final = b"\x88\x02\x03\xf4"  # close, 1012
_REVOKED: Final = b"\x88\x02\x03\xf0"  # close, 1008


class Tunnel(Exchange):
    """An exchange that may turn into two streams of bytes."""

    __slots__ = ("open",)

    def begin(self, body: bytes, *, complete: bool) -> None:
        """Ask for a slot like any request."""
        self.open = False
        super().begin(body, complete=complete)

    def send(self, connection: ModelConnection, lines: list[bytes]) -> None:
        """Ask the model to upgrade."""
        lines += [b"Connection: Upgrade", b"Upgrade: websocket", *self.request.websocket]
        super().send(connection, lines)

    def on_upgrade(self, response: Response, data: bytes) -> None:
        if response.upgrade != b"websocket":
            self.on_failure(garbled=True)
            return
        self.open = True
        self.started = True
        self.status = 101
        self.outcome = Outcome.OK
        self.caller.become_tunnel()
        lines = [
            answers.STATUS_LINES[101],
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            *response.websocket,
            b"X-Request-Id: " + self.request_id,
            b"",
            data,
        ]
        self.caller.write(b"\r\n".join(lines))
        self._was_active()

    def take_body(self, data: bytes, *, complete: bool) -> None:
        if not self.open:
            super().take_body(data, complete=complete)
        elif self.connection is not None:
            self.received += len(data)
            self._note(data)
            self.node.outbox.send(self.connection, data)

    def on_data(self, data: bytes, *, complete: bool) -> None:
        if not self.open:
            super().on_data(data, complete=complete)
            return
        self.sent += len(data)
        self._note(data)
        self.caller.write(data)

    def on_failure(self, *, garbled: bool) -> None:
        if self.open:
            self._end(b"")
        else:
            super().on_failure(garbled=garbled)

    def pause(self) -> None:
        self.caller.pause_reading()

    def expire(self) -> None:
        if self.open:
            self._end(_RESTARTING)
        else:
            super().expire()

    def tick(self, now: float) -> None:
        """Close what may not go on: the token was revoked, or the router restarts."""
        super().tick(now)
        if not self.open:
            return
        endpoint = self.endpoint
        allowed = access.token_id(
            self.request.authorization,
            shown=self.caller.shown,
            public=endpoint.public,
            tokens=endpoint.tokens,
            now=time.time(),
        )
        if not endpoint.active or allowed is None:
            self._end(_REVOKED)
        elif self.node.draining:
            self._end(_RESTARTING)

    def _end(self, goodbye: bytes) -> None:
        caller = self.caller
        self._release(abort=True)
        caller.keep_alive = False
        caller.finish(goodbye, body_done=True)

    def _note(self, data: bytes) -> None:
        """Frames are activity, pings are not: else an idle tab keeps a model awake for ever."""
        if len(data) > _LONGEST_CONTROL_FRAME or not data[0] & 0x08:
            self._was_active()

    def _was_active(self) -> None:
        self.deadline = time.monotonic() + self.node.limits.websocket_idle_seconds
