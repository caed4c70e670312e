"""One reconciler per model: a lease in the model's row, with an end, so that a dead holder harms
nobody for long."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db.models import Q

from hosting.lifecycle.clock import Clock
from hosting.models import HostedModel

DURATION = timedelta(seconds=15)


class Lease:
    """The right to touch the engine for one model until `until`."""

    def __init__(self, model_id: int, *, holder: str, until: datetime, clock: Clock) -> None:
        self.model_id = model_id
        self.holder = holder
        self.until = until
        self._clock = clock

    def renew(self) -> bool:
        """Extend when a third is gone; False when it was lost, and the holder must stop acting."""
        now = self._clock.now()
        if self.until - now > DURATION * 2 / 3:
            return True
        mine = HostedModel.objects.filter(pk=self.model_id, lease_holder=self.holder)
        self.until = now + DURATION
        return bool(mine.update(lease_until=self.until))


@contextmanager
def lease(model_id: int, *, clock: Clock) -> Iterator[Lease | None]:
    """Take the model's lease for the block; None when somebody else holds it."""
    now, holder = clock.now(), uuid.uuid4().hex
    free = HostedModel.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), pk=model_id)
    if not free.update(lease_holder=holder, lease_until=now + DURATION):
        yield None
        return
    try:
        yield Lease(model_id, holder=holder, until=now + DURATION, clock=clock)
    finally:
        HostedModel.objects.filter(pk=model_id, lease_holder=holder).update(
            lease_holder="", lease_until=None
        )
