"""The only writer of state. Every move is one guarded UPDATE and leaves one Transition row."""

from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import F

from hosting import nudges, route_table
from hosting.lifecycle import wakes
from hosting.models import HostedModel, Replica, Transition
from hosting.states import Event, State, after

# Another writer can win each round; more rounds than this mean a bug, not bad luck.
MOST_ROUNDS = 20


def apply(
    model: HostedModel,
    event: Event,
    *,
    now: datetime,
    cause: str = "",
    nudge: bool = True,
    replica: Replica | None = None,
    **fields: object,
) -> bool:
    """Move the model if the event means anything in its present state; True when it moved.

    `fields` are written by the same UPDATE; `replica` is the one it is about, where a wake ends.
    The passed instance is brought up to date. On commit the route is published and a worker is
    nudged to act, unless the caller acts itself.
    """
    # The instance may be fresh, and a wake has no time for reading twice: the guard tells.
    attempt = partial(
        _try, model, event, now=now, cause=cause, nudge=nudge, replica=replica, fields=fields
    )
    if attempt():
        return True
    for _ in range(MOST_ROUNDS):
        model.refresh_from_db()
        if after(model.current_state, event) is None:
            return False
        if attempt():
            return True
    raise RuntimeError(f"{model} was changed by others {MOST_ROUNDS} times in a row")


def _try(
    model: HostedModel,
    event: Event,
    *,
    now: datetime,
    cause: str,
    nudge: bool,
    replica: Replica | None,
    fields: dict[str, object],
) -> bool:
    """Move the model from the state and generation of the instance, unless the row has others."""
    target = after(model.current_state, event)
    if target is None:
        return False
    moved_to = {"state": target, "state_changed_at": now, "wait_reason": "", **fields}
    with transaction.atomic(savepoint=False):
        unmoved = HostedModel.objects.filter(pk=model.pk, generation=model.generation)
        if not unmoved.update(generation=F("generation") + 1, **moved_to):
            return False
        Transition.objects.create(
            model_id=model.pk,
            generation=model.generation + 1,
            from_state=model.state,
            to_state=target,
            event=event,
            cause=cause[:200],
            at=now,
        )
        if model.state == State.AWAKENING:
            wakes.record(model, target=target, replica=replica, reason=cause, now=now)
        for name, value in {**moved_to, "generation": model.generation + 1}.items():
            setattr(model, name, value)
        route_table.publish_move_on_commit(model)
        if nudge:
            nudge_on_commit(model.pk)
    return True


def nudge_on_commit(model_id: int) -> None:
    """Ask a worker, once the running transaction is committed, to make the engine agree."""
    transaction.on_commit(partial(nudges.reconcile, settings.REDIS_URL, model_id=model_id))
