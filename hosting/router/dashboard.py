"""Hosts that are no model's go to the web process, as they came: pages, the admin API, streams."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, ClassVar, Final

from hosting.router import answers
from hosting.router.model_connection import ModelConnection
from hosting.router.pool import Replica, dial
from hosting.router.relay import Relay
from hosting.router.request_head import Request
from hosting.router.response_head import Response

if TYPE_CHECKING:
    from hosting.router.caller import Caller
    from hosting.router.node import Node

_PAGE: Final = (
    b"<!doctype html><title>Starting</title><meta http-equiv=refresh content=3>"
    b"<p>The dashboard is starting. This page reloads by itself."
)


class DashboardRelay(Relay):
    """A request to the web process. Nothing is held, counted or rewritten."""

    __slots__ = ("dialling", "server")
    most_body_bytes: ClassVar[int] = 64 << 20

    def __init__(self, node: Node, caller: Caller, request: Request, *, server: Replica) -> None:
        super().__init__(node, caller, request)
        self.server = server
        self.dialling: asyncio.Task[None] | None = None
        self.deadline = time.monotonic() + node.limits.dashboard_head_seconds
        self.request_id = node.request_ids.mint(now=time.time())

    def begin(self, body: bytes, *, complete: bool) -> None:
        """Start, with what came of the body."""
        self.body_done = complete
        if body:
            self.received = len(body)
            self.keep_body(body)
        if not complete and self.request.expects_continue:
            self.caller.write(answers.CONTINUE)
        limits = self.node.limits
        connection = self.server.take(now=time.monotonic(), oldest=limits.pool_idle_seconds)
        if connection is not None:
            self._send(connection)
        else:
            self.dialling = asyncio.get_running_loop().create_task(self._dial())

    async def _dial(self) -> None:
        try:
            connection = await dial(self.server, seconds=self.node.limits.dial_seconds)
        except OSError:
            self.dialling = None
            self._down()
            return
        self.dialling = None
        self._send(connection)

    def _send(self, connection: ModelConnection) -> None:
        request = self.request
        lines = [
            b"%b %b HTTP/1.1" % (request.method, request.target),
            b"Host: " + request.host,
            *request.lines,
        ]
        for name, value in (
            (b"Authorization", request.authorization),
            (b"Cookie", request.cookie),
            (b"Content-Type", request.content_type),
        ):
            if value is not None:
                lines.append(b"%b: %b" % (name, value))
        lines.append(b"X-Request-Id: " + self.request_id)
        lines.append(b"%bX-Forwarded-Host: %b" % (self.caller.forwarded, request.host))
        self.send(connection, lines)

    def on_answer(self, response: Response, body: bytes, *, complete: bool) -> None:
        self.deadline = float("inf")  # a page that streams events has no end of its own
        self.endless = True
        super().on_answer(response, body, complete=complete)

    def on_failure(self, *, garbled: bool) -> None:
        self.connection = None
        if self.started:
            super().on_failure(garbled=garbled)
        else:
            self._down()

    def _down(self) -> None:
        if any(b"text/html" in line for line in self.request.lines) and not self.over:
            data = answers.whole(
                503,
                _PAGE,
                lines=(b"Retry-After: 3", b"X-Request-Id: " + self.request_id),
                content_type=b"Content-Type: text/html; charset=utf-8",
                close=not self.caller.will_keep_alive(body_done=self.body_done),
            )
            self.finish(data)
        else:
            self.give_up(answers.DASHBOARD_DOWN)

    def let_go(self, connection: ModelConnection, *, reusable: bool, now: float) -> None:
        if reusable:
            self.server.put_back(connection, now=now, most=self.node.limits.pool_size)
        else:
            connection.abort()

    def leave(self, *, now: float) -> None:
        if self.dialling is not None:
            self.dialling.cancel()
            self.dialling = None
