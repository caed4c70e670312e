"""One request to a hosted model: it waits for a slot, goes in, is answered, and is written down."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from hosting.router import answers, request_lines, rewriting, waking
from hosting.router.answers import Problem
from hosting.router.clocks import monotonic
from hosting.router.endpoints import Endpoint
from hosting.router.headers import JSON
from hosting.router.leases import Cover
from hosting.router.model_connection import ModelConnection
from hosting.router.pool import Replica, dial
from hosting.router.relay import Relay
from hosting.router.response_head import Response
from hosting.router.targets import NAMES, Kind, Target
from hosting.router.usage import Begun, begin_line, spool_line
from hosting.states import State
from hosting.wire import Asker, Outcome

_RETRY_SECONDS: Final = 0.05
# Compiled, a constant is at hand where a class is looked up.
_OK: Final = Outcome.OK
_MODEL_ERROR: Final = Outcome.MODEL_ERROR
_RESENDABLE: Final = (b"GET", b"HEAD")


class Exchange(Relay):
    """One admitted request. Written down exactly once, however it ends."""

    __slots__ = (
        "arrived",
        "arrived_at",
        "cold",
        "cover",
        "dialling",
        "endpoint",
        "id_line",
        "kind",
        "line",
        "outcome",
        "pacing",
        "queued",
        "replica",
        "resent",
        "rewriter",
        "state_line",
        "target",
        "timing",
        "token_id",
        "went",
        "written",
    )

    def admit(
        self, endpoint: Endpoint, target: Target, token_id: int, arrived: float, arrived_at: float
    ) -> None:
        """It may go to this model. `arrived`: monotonic; `arrived_at`: unix seconds."""
        self.endpoint = endpoint
        self.target = target
        self.kind = target.kind
        self.token_id = token_id
        self.arrived = arrived
        self.arrived_at = arrived_at
        self.request_id = self.node.request_ids.mint(now=arrived_at)
        self.id_line = b"\r\nX-Request-Id: %b" % self.request_id
        self.deadline = arrived + endpoint.timeout
        self.state_line = endpoint.state_line
        self.line: Begun | None = None
        self.timing = b""
        self.went = 0.0
        self.cold = False
        self.queued = False
        self.pacing: asyncio.TimerHandle | None = None
        self.resent = False
        self.outcome = ""
        self.written = b""
        self.cover: Cover | None = None
        self.replica: Replica | None = None
        self.dialling: asyncio.Task[None] | None = None
        self.rewriter: rewriting.Rewriter | None = None

    # --- waiting and going in

    def begin(self, body: bytes, *, complete: bool) -> None:
        """Start, with what came of the body. A short body is awaited before a slot is taken."""
        self.body_done = complete
        if body:
            self.received = self.buffered = len(body)
            self.node.buffered_bytes += len(body)
            self.body = body
        request = self.request
        short = not request.chunked and request.length <= self.node.limits.buffered_body_bytes
        if not complete and request.expects_continue and short:
            self.caller.write(answers.CONTINUE)
        if complete or not short:
            self._enter()

    def on_body_done(self) -> None:
        if not self.queued and self.pacing is None and self.replica is None:
            self._enter()

    def _enter(self) -> None:
        """Go on as soon as the rate limits allow it."""
        endpoint = self.endpoint
        if not (endpoint.paced and self.node.pacing.holds(self, endpoint)):
            self.set_out()

    def set_out(self) -> None:
        """Go in, or wait: first for what the request may cost, then for a slot."""
        if self.endpoint.capped and self.cover is None and not self.node.leases.cover(self):
            return
        self.seek_slot()

    def seek_slot(self) -> None:
        """Go in, or wait for a slot."""
        endpoint = self.endpoint
        replica = endpoint.take_slot()
        if replica is not None:
            self.go(replica)
            return
        problem = self._misfit() or self.node.waking.hold(self, endpoint)
        if problem is not None:
            self.give_up(problem)

    def turn_to(self, endpoint: Endpoint) -> None:
        """Ask for a slot there: nobody goes in any more where it waited."""
        if self.queued:
            self.queued = False
            self.node.held -= 1
        self.endpoint = endpoint
        self.seek_slot()

    def _misfit(self) -> Problem | None:
        """What would make a wake pointless: an input the model can't take."""
        if self.kind != Kind.QUERY or self.endpoint.replicas or not self.body_done:
            return None
        if any(line[:17].lower() == b"content-encoding:" for line in self.request.lines):
            return None
        body = self.body if isinstance(self.body, bytes) else b"".join(self.body)
        misfit = self.endpoint.misfit_of(body)
        if misfit is None:
            return None
        return answers.INVALID_INPUT.saying(misfit.sentence)._replace(field=misfit.field)

    def go(self, replica: Replica) -> None:
        """Go in with this slot."""
        if self.queued:
            self.queued = False
            self.node.held -= 1
        self.replica = replica
        self.went = now = monotonic()
        node = self.node
        connection = None
        if now < node.standstill.due:
            connection = replica.take(now=now, oldest=node.limits.pool_idle_seconds)
        if connection is not None:
            self._send(connection, replica)
        else:
            self.dialling = asyncio.get_running_loop().create_task(self._dial(replica))

    async def _dial(self, replica: Replica) -> None:
        """Connect. A refused connection never delivered anything, so it may be tried again."""
        limits = self.node.limits
        await self.node.standstill.over()
        last = monotonic() + limits.refused_seconds
        while not replica.retired:
            try:
                connection = await dial(replica, seconds=limits.dial_seconds)
            except OSError:
                if monotonic() >= last:
                    break
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self.dialling = None
            self._send(connection, replica)
            return
        self.dialling = None
        self._wait_again(replica)

    def _wait_again(self, replica: Replica) -> None:
        """Nobody answers there: have it looked into, and wait at the head of the line."""
        self.come_back()
        self.cold = True
        if not replica.retired:
            self.endpoint.refused(replica, now=monotonic())
        self.queued = True
        self.node.held += 1
        self.endpoint.waiting.appendleft(self)
        self.endpoint.give_back(replica, now=monotonic())
        self.node.waking.look_after(self.endpoint)

    def come_back(self) -> None:
        """It is outside again, as before it went in. The slot is not given back here."""
        self.replica = None
        self.went = 0.0
        self.timing = b""
        self.line = None

    def _send(self, connection: ModelConnection, replica: Replica) -> None:
        request = self.request
        self.endpoint.trouble_since = None
        if not self.body_done and request.expects_continue and not self.sending and not self.body:
            self.caller.write(answers.CONTINUE)
        self.send(
            connection,
            request_lines.for_model(
                request, self.target, replica, self.caller.forwarded, self.id_line
            ),
        )
        # The model works now: time to make what can be made before it answers.
        self.timing = self._timing(self.went)
        self.line = self._line(self.went)

    def _timing(self, went: float) -> bytes:
        """The lines of ours on an answer, up to how long the model took."""
        replica = self.replica
        return b"%b\r\n%bServer-Timing: hold;dur=%d, model;dur=" % (
            self.state_line,
            b"" if replica is None else replica.served.revision_line,
            int((went - self.arrived) * 1000),
        )

    def _line(self, went: float) -> Begun:
        # The route may lead elsewhere by the end: it counts to what the replica is.
        replica = self.replica
        return begin_line(
            request_id=self.request_id,
            owners=self.endpoint.owners if replica is None else replica.served.owners,
            token_id=self.token_id,
            route=NAMES[self.kind],
            method=self.request.method,
            counts=self.kind == Kind.QUERY,
            cold=self.cold,
            arrived_at=self.arrived_at,
            held_ms=int((went - self.arrived) * 1000),
        )

    # --- the answer

    def on_answer(self, response: Response, body: bytes, *, complete: bool) -> None:
        if self.kind == Kind.OTHER:
            lines = self.answer_lines(response)
            self.begin_answer(response, response.status, lines, body, complete)
            return
        status = rewriting.public_status(response.status)
        if rewriting.wanted(response):
            self.status = status
            self.rewriter = rewriting.Rewriter(response, status=status)
            self.on_data(body, complete=complete)
            return
        if response.content_type is None:
            response.content_type = JSON
        lines = self.answer_lines(response)
        if status != response.status:
            lines.append(b"Retry-After: 1")
        self.begin_answer(response, status, lines, body, complete)

    def answer_lines(self, response: Response) -> list[bytes]:
        lines = response.lines
        own = self._own_lines(with_id=not response.request_id)
        if response.content_type is None:
            lines.append(b"%b\r\n%b" % (answers.CORS, own))
        else:
            lines.append(
                b"Content-Type: %b\r\n%b\r\n%b" % (response.content_type, answers.CORS, own)
            )
        return lines

    def problem_lines(self) -> tuple[bytes, ...]:
        return (self._own_lines(with_id=False),)

    def _own_lines(self, *, with_id: bool) -> bytes:
        now = monotonic()
        went = self.went or now
        return b"%b%d%b" % (
            self.timing or self._timing(went),
            int((now - went) * 1000),
            self.id_line if with_id else b"",
        )

    def on_data(self, data: bytes, *, complete: bool) -> None:
        if self.rewriter is None:
            super().on_data(data, complete=complete)
        elif self.rewriter.take(data, most=self.node.limits.rewritten_answer_bytes) or complete:
            self._answer_rewritten(self.rewriter)

    def _answer_rewritten(self, rewriter: rewriting.Rewriter) -> None:
        body = rewriter.body(request_id=self.request_id)
        self.started = True
        self.sent = len(body)
        if not rewriter.whole and self.connection is not None:
            self.connection.reusable = False
        data = answers.whole(
            self.status,
            body,
            lines=(
                *rewriter.lines,
                self._own_lines(with_id=True),
            ),
            close=not self.caller.will_keep_alive(body_done=self.body_done),
            head_only=self.request.method == b"HEAD",
        )
        self.finish(data)

    def on_failure(self, *, garbled: bool) -> None:
        """The model died. What it never saw or may see twice is sent once more, else it's a 500."""
        connection, self.connection = self.connection, None
        replica = self.replica
        request = self.request
        unseen = connection is not None and connection.undelivered
        if (
            not self.started
            and not self.resent
            and not garbled
            and replica is not None
            and self.body_done
            and self.rewriter is None
            and (unseen or request.method in _RESENDABLE or request.idempotent)
            and self.received == self.buffered
        ):
            self.resent = True
            if replica.retired:
                self._wait_again(replica)
                return
            self.dialling = asyncio.get_running_loop().create_task(self._dial(replica))
            return
        self.outcome = Outcome.MODEL_ERROR
        if replica is not None:
            self.node.nudge_reconcile(self.endpoint)
        if self.kind == Kind.OTHER and not self.started:
            problem = answers.MODEL_GARBLED if garbled else answers.MODEL_DIED
            self.give_up(problem._replace(status=502))
            return
        super().on_failure(garbled=garbled)

    # --- while it waits or works

    def tick(self, now: float) -> None:
        """See that it isn't inside a paused replica: there, it would wait for somebody else's wake.

        A router that was frozen for longer than its lease isn't waited for when a model dozes off.
        """
        super().tick(now)
        if self.replica is not None and self.endpoint.state_name == State.DROWSY:
            self.node.waking.resume(self.endpoint, self.asker, now=now)

    # --- giving up

    @property
    def asker(self) -> Asker:
        return Asker(
            asked_at=self.arrived_at,
            token_id=self.token_id,
            route=NAMES[self.kind].decode(),
            method=self.request.method.decode("latin-1"),
            address=self.caller.address,
        )

    def expire(self) -> None:
        if self.replica is not None:
            self.outcome = Outcome.TIMEOUT
            self.give_up(answers.MODEL_TIMED_OUT)
        elif not self.queued and self.pacing is None:
            self.outcome = Outcome.REFUSED
            self.give_up(answers.BODY_TIMEOUT)
        else:
            self.outcome = Outcome.TIMEOUT
            self.give_up(self._waited_in_vain())

    def _waited_in_vain(self) -> Problem:
        route = self.endpoint.route
        if self.endpoint.reachable():
            return answers.QUEUE_TIMED_OUT
        if route.wait_reason:
            return answers.NO_ROOM.saying(f"The model waits for room: {route.wait_reason}")
        return waking.when_awake(answers.WAKE_TIMED_OUT, route)

    def refuse_waiting(self, problem: Problem) -> None:
        """There is nothing to wait for: the wake failed, or the model is gone."""
        ours = problem in (answers.NOT_FOUND, answers.MAY_NOT_WAKE)
        self.outcome = Outcome.REFUSED if ours else Outcome.WAKE_FAILED
        self.give_up(problem)

    # --- the end

    def let_go(self, connection: ModelConnection, *, reusable: bool, now: float) -> None:
        replica = self.replica
        if reusable and replica is not None:
            replica.put_back(connection, now=now, most=self.node.limits.pool_size)
        else:
            connection.abort()

    def write_down(self, *, now: float) -> None:
        """The one place where a request is counted."""
        went = self.went or now
        outcome = self.outcome = self.outcome or self._outcome()
        self.written = spool_line(
            self.line or self._line(went),
            status=self.status,
            outcome=outcome,
            counted=self._counted(outcome),
            model_ms=int((now - went) * 1000),
            bytes_in=self.received,
            bytes_out=self.sent,
        )
        self.node.write_down(self.written)

    def leave(self, *, now: float) -> None:
        """The one place where a request ends: figures, slot, queue, activity, budget."""
        if self.dialling is not None:
            self.dialling.cancel()
            self.dialling = None
        node = self.node
        node.note(self.outcome, self.written, host=self.request.name)
        if self.pacing is not None:
            node.pacing.leave(self)
        endpoint = self.endpoint
        if self.queued:
            self.queued = False
            node.held -= 1
            with suppress(ValueError):
                endpoint.waiting.remove(self)
        if self.cover is not None:
            self.cover.end(billable=self._answered(self.outcome))
        replica = self.replica
        if replica is not None:
            self.replica = None
            endpoint.give_back(replica, now=now)

    def _outcome(self) -> str:
        if self.replica is None:
            return Outcome.REFUSED if self.status else Outcome.CLIENT_ABORT
        if not self.started:
            return Outcome.CLIENT_ABORT if not self.status else Outcome.REFUSED
        return _MODEL_ERROR if self.status >= 500 else _OK

    def _counted(self, outcome: str) -> bool:
        """Whether it is a unit: a query that the model answered, whatever it said."""
        return self.kind == Kind.QUERY and self._answered(outcome)

    def _answered(self, outcome: str) -> bool:
        """Whether the model answered. What we say of one that died instead costs nothing."""
        return self.started and (outcome == _OK or outcome == _MODEL_ERROR)  # noqa: SIM109
