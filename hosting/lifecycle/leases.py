"""One reconciler per model: a lease in the model's row, with an end, so that a dead holder harms
nobody for long."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from hosting.lifecycle.clock import CLOCKS_APART, Clock
from hosting.lifecycle.ended_workers import own_name
from hosting.models import HostedModel

DURATION = timedelta(seconds=15)
# No lease ends later than this, even by another machine's clock.
_LATEST = DURATION + CLOCKS_APART

# Whose lease anyone may take; asked with `bounds`.
FREE = "(lease_until IS NULL OR lease_until < %(now)s OR lease_until > %(latest)s)"
# The lease and the row as it is now, in one statement: a wake has no time for two.
_TAKE = f"""
UPDATE hosting_hostedmodel SET lease_holder = %(holder)s, lease_until = %(until)s
WHERE id = %(model_id)s AND {FREE}
RETURNING *
"""  # noqa: S608 - put together from constants


def bounds(*, now: datetime) -> dict[str, datetime]:
    """What `FREE` compares a lease with."""
    return {"now": now, "latest": now + _LATEST}


class Lease:
    """The right to touch the engine for one model until `until`; `model` as it was when taken."""

    def __init__(self, model: HostedModel, *, holder: str, until: datetime, clock: Clock) -> None:
        self.model = model
        self.holder = holder
        self.until = until
        self._clock = clock

    def renew(self) -> bool:
        """Extend when a third is gone; False when it was lost, and the holder must stop acting."""
        now = self._clock.now()
        if DURATION * 2 / 3 < self.until - now <= DURATION:
            return True
        mine = HostedModel.objects.filter(pk=self.model.pk, lease_holder=self.holder)
        if not mine.update(lease_until=now + DURATION):
            return False
        self.until = now + DURATION
        return True


@contextmanager
def lease(model_id: int, *, clock: Clock) -> Iterator[Lease | None]:
    """Take the model's lease for the block; None when somebody else holds it."""
    now, holder = clock.now(), f"{own_name()}.{uuid.uuid4().hex}"
    until = now + DURATION
    asked = {"holder": holder, "until": until, "model_id": model_id, **bounds(now=now)}
    taken = list(HostedModel.objects.raw(_TAKE, asked))
    if not taken:
        yield None
        return
    try:
        yield Lease(taken[0], holder=holder, until=until, clock=clock)
    finally:
        HostedModel.objects.filter(pk=model_id, lease_holder=holder).update(
            lease_holder="", lease_until=None
        )
