"""The only writer of state. Every move is one guarded UPDATE and leaves one Transition row."""

from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import F

from hosting import nudges, route_table
from hosting.models import HostedModel, Transition
from hosting.states import Event, after

# Another writer can win each round; more rounds than this mean a bug, not bad luck.
MOST_ROUNDS = 20


def apply(
    model: HostedModel,
    event: Event,
    *,
    now: datetime,
    cause: str = "",
    nudge: bool = True,
    **fields: object,
) -> bool:
    """Move the model if the event means anything in its present state; True when it moved.

    `fields` are written by the same UPDATE. The passed instance is brought up to date. On commit
    the route is published and a worker is nudged to act, unless the caller acts itself.
    """
    for _ in range(MOST_ROUNDS):
        model.refresh_from_db()
        target = after(model.current_state, event)
        if target is None:
            return False
        with transaction.atomic():
            unmoved = HostedModel.objects.filter(pk=model.pk, generation=model.generation)
            moved = unmoved.update(
                state=target, state_changed_at=now, generation=F("generation") + 1, **fields
            )
            if not moved:
                continue
            Transition.objects.create(
                model_id=model.pk,
                generation=model.generation + 1,
                from_state=model.state,
                to_state=target,
                event=event,
                cause=cause[:200],
                at=now,
            )
            route_table.publish_on_commit(model.pk)
            if nudge:
                nudge_on_commit(model.pk)
        model.refresh_from_db()
        return True
    raise RuntimeError(f"{model} was changed by others {MOST_ROUNDS} times in a row")


def nudge_on_commit(model_id: int) -> None:
    """Ask a worker, once the running transaction is committed, to make the engine agree."""
    transaction.on_commit(partial(nudges.reconcile, settings.REDIS_URL, model_id=model_id))
