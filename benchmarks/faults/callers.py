"""Callers that never ask twice, and what each request came to."""

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.subject import DEADLINE_SECONDS, Subject

# Beyond its deadline, for a machine that is busy and a router that stood still meanwhile.
HUNG_SECONDS = DEADLINE_SECONDS + 15.0
CUT, REFUSED, HUNG = "cut", "refused", "hung"


@dataclass(slots=True)
class Asked:
    """One query, from its sending to whatever came back."""

    subject: str
    marker: str
    safe: bool  # it carries an Idempotency-Key: the router may send it again
    pad: int
    asked_at: float  # unix seconds
    ended_at: float = 0.0
    status: int = 0  # 0: no answer
    code: str = ""  # of an error of ours, or CUT, REFUSED or HUNG
    why: str = ""  # what the error says
    request_id: str = ""
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether a model's answer came."""
        return self.status == 200

    @property
    def is_mine(self) -> bool:
        """Whether the answer is the one to this query."""
        return bool(
            self.body.get("marker") == self.marker
            and self.body.get("pad") == self.marker * self.pad
            and self.body.get("count", 0) >= 1
        )


class Caller:
    """One program that queries one model in bursts, over a connection that it keeps for a while."""

    def __init__(self, number: int, subject: Subject, *, safe: bool, port: int, seed: int) -> None:
        self.asked: list[Asked] = []
        self._number = number
        self._subject = subject
        self._safe = safe
        self._port = port
        self._chance = random.Random(f"{seed}-{number}")
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call_until(self, ends_at: float) -> None:
        """Query, and pause for long enough to let the model fall asleep, until this moment."""
        while time.time() < ends_at:
            for _ in range(self._chance.randint(1, 8)):
                asked = await self.query()
                if not asked.answered:
                    break
            self._close()
            await asyncio.sleep(self._chance.choice((0.1, 0.5, 1.5, 3.0, 6.0)))

    async def query(self) -> Asked:
        """Ask once. Whatever comes back is kept; nothing is sent a second time."""
        seconds = self._chance.choice((0.0, 0.0, 0.02, 0.1, 0.5, 1.5))
        pad = self._chance.choice((0, 0, 10, 10_000))
        marker = f"{self._number}-{len(self.asked)}-{self._chance.getrandbits(32):08x}"
        asked = Asked(self._subject.name, marker, self._safe, pad, asked_at=time.time())
        self.asked.append(asked)
        try:
            async with asyncio.timeout(HUNG_SECONDS):
                await self._exchange(asked, seconds=seconds)
        except TimeoutError:
            asked.code = HUNG
        except ConnectionRefusedError:
            asked.code = REFUSED
        except (OSError, asyncio.IncompleteReadError):
            asked.code = CUT
        finally:
            asked.ended_at = time.time()
            if not asked.status:
                self._close()
        return asked

    async def _exchange(self, asked: Asked, *, seconds: float) -> None:
        if self._connection is None:
            self._connection = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._connection
        writer.write(self._request(asked, seconds=seconds))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        fields = {
            name.lower(): value.strip()
            for name, _, value in (each.partition(":") for each in lines)
        }
        body = await reader.readexactly(int(fields["content-length"]))
        asked.request_id = fields.get("x-request-id", "")
        asked.body = json.loads(body)
        error = asked.body.get("error", {})
        asked.code, asked.why = error.get("code", ""), error.get("message", "")
        asked.status = int(first.split(" ")[1])
        if fields.get("connection", "").lower() == "close":
            self._close()

    def _request(self, asked: Asked, *, seconds: float) -> bytes:
        body = json.dumps({"marker": asked.marker, "seconds": seconds, "pad": asked.pad})
        lines = [
            "POST /v1/query HTTP/1.1",
            f"Host: {self._subject.host}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        if self._subject.secret:
            lines.append(f"Authorization: Bearer {self._subject.secret}")
        if asked.safe:
            lines.append(f"Idempotency-Key: {asked.marker}")
        return "\r\n".join((*lines, "", body)).encode()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None
