"""The control plane's side of leases: what a router says comes by nudge, the answer by Redis."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from hosting import nudges, route_table
from hosting.billing import quotas
from hosting.wire import LeaseStatement, leases_key

_ANSWER_SECONDS = 30  # a router that didn't read it by then has asked again
_BOOKS_ASKED = "dormouse:books:asked"
_BOOKS_SECONDS = 3


def answer(
    statements: Iterable[Mapping[str, Any]], *, router: str, boot: int, at: float, now: datetime
) -> None:
    """Take what a router process says of its leases and let it know what it may spend."""
    said = [LeaseStatement(**each) for each in statements]
    answers = quotas.hear(
        said, router=router, boot=boot, at=datetime.fromtimestamp(at, UTC), now=now
    )
    if not answers:
        return
    redis = route_table.connection()
    redis.rpush(leases_key(router), json.dumps([asdict(each) for each in answers]))
    redis.expire(leases_key(router), _ANSWER_SECONDS)
    short = any(each.short == "elsewhere" for each in answers)
    if short and redis.set(_BOOKS_ASKED, 1, nx=True, ex=_BOOKS_SECONDS):
        # Some of what was spent may turn out to cost nothing: don't wait for the minute.
        nudges.send(settings.REDIS_URL, nudges.BOOKS)
