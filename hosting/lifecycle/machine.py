"""The only writer of state. Moves are one guarded UPDATE and leave a Transition row each."""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Move:
    """What happened to a model, and when; `cause` is who or what did it."""

    event: Event
    at: datetime
    cause: str = ""


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
    nudged to act, unless the caller acts itself. Nothing wakes a model that is switched off.
    """
    # The instance may be fresh, and a wake has no time for reading twice: the guard tells.
    move = Move(event, now, cause)
    attempt = partial(
        apply_as_read, model, [move], nudge=nudge, replica=replica, ready=None, **fields
    )
    if attempt():
        return True
    for _ in range(MOST_ROUNDS):
        model.refresh_from_db()
        if not _states(model, [move]):
            return False
        if attempt():
            return True
    raise RuntimeError(f"{model} was changed by others {MOST_ROUNDS} times in a row")


def apply_as_read(
    model: HostedModel,
    moves: Sequence[Move],
    *,
    nudge: bool = True,
    replica: Replica | None = None,
    ready: Sequence[Replica] | None = None,
    **fields: object,
) -> bool:
    """Make these moves, all or none, in one commit; False when the row is newer than `model`.

    For who decides by what the instance says; otherwise as `apply`. One route is published; who
    holds the lease and has just read which replicas are `ready` saves it a reading.
    """
    read, states = model.generation, _states(model, moves)
    if not states:
        return False
    moved_to = {"state": states[-1], "state_changed_at": moves[-1].at, "wait_reason": "", **fields}
    with transaction.atomic(savepoint=False):
        unmoved = HostedModel.objects.filter(pk=model.pk, generation=read)
        if not unmoved.update(generation=F("generation") + len(moves), **moved_to):
            return False
        history = []
        for move, state in zip(moves, states, strict=True):
            history.append(_transition(model, move, to=state))
            if model.state == State.AWAKENING:
                wakes.record(model, target=state, replica=replica, reason=move.cause, now=move.at)
            now = {**moved_to, "state": state, "state_changed_at": move.at}
            for name, value in {**now, "generation": model.generation + 1}.items():
                setattr(model, name, value)
        Transition.objects.bulk_create(history)
        route_table.publish_move_on_commit(model, read=read, ready=ready)
        if nudge:
            nudge_on_commit(model.pk)
    return True


def _states(model: HostedModel, moves: Sequence[Move]) -> list[State]:
    """Where each of the moves leads; none of them anywhere, if one doesn't."""
    states: list[State] = []
    for move in moves:
        if move.event == Event.REQUEST and not model.active:
            return []  # switched off since somebody decided to wake it
        state = after(states[-1] if states else model.current_state, move.event)
        if state is None:
            return []
        states.append(state)
    return states


def _transition(model: HostedModel, move: Move, *, to: State) -> Transition:
    return Transition(
        model_id=model.pk,
        generation=model.generation + 1,
        from_state=model.state,
        to_state=to,
        event=move.event,
        cause=move.cause[:200],
        at=move.at,
    )


def nudge_on_commit(model_id: int) -> None:
    """Ask a worker, once the running transaction is committed, to make the engine agree."""
    transaction.on_commit(partial(nudges.reconcile, settings.REDIS_URL, model_id=model_id))
