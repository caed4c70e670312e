"""Every state a hosted model can be in, every event, and every legal move: one table."""

from enum import StrEnum


class State(StrEnum):
    """What a hosted model is doing."""

    ASLEEP = "asleep"
    AWAKENING = "awakening"
    AWAKE = "awake"
    DRAINING = "draining"
    DROWSY = "drowsy"  # paused: memory kept, no CPU, back in milliseconds
    FAILED = "failed"


class Event(StrEnum):
    """What moves a hosted model from one state to the next."""

    REQUEST = "request"  # somebody wants an answer, or pressed "wake"
    READY = "ready"  # the model itself answered its readiness probe
    START_FAILED = "start_failed"  # the container exited, or the start-up budget ran out
    IDLE = "idle"  # quiet for the idle timeout, everywhere
    SLEEP = "sleep"  # put to sleep by a person, or switched off, or deleted
    DRAINED = "drained"  # every live router has let go of the replica: stop it
    DOZE = "doze"  # every live router has let go of the replica: pause it
    DEEP_SLEEP = "deep_sleep"  # drowsy for long enough, or its memory is wanted
    REPLICA_LOST = "replica_lost"  # the container is gone, once
    CRASH_LOOP = "crash_loop"  # the container is gone again, soon after the last time


MOVES: dict[tuple[State, Event], State] = {
    (State.ASLEEP, Event.REQUEST): State.AWAKENING,
    (State.FAILED, Event.REQUEST): State.AWAKENING,
    (State.FAILED, Event.SLEEP): State.ASLEEP,
    (State.AWAKENING, Event.READY): State.AWAKE,
    (State.AWAKENING, Event.START_FAILED): State.FAILED,
    (State.AWAKENING, Event.SLEEP): State.ASLEEP,
    (State.AWAKE, Event.IDLE): State.DRAINING,
    (State.AWAKE, Event.SLEEP): State.DRAINING,
    (State.AWAKE, Event.REPLICA_LOST): State.ASLEEP,
    (State.AWAKE, Event.CRASH_LOOP): State.FAILED,
    (State.DRAINING, Event.REQUEST): State.AWAKE,
    (State.DRAINING, Event.DRAINED): State.ASLEEP,
    (State.DRAINING, Event.DOZE): State.DROWSY,
    # Draining towards drowsy becomes draining towards asleep: the newest move tells.
    (State.DRAINING, Event.SLEEP): State.DRAINING,
    (State.DRAINING, Event.REPLICA_LOST): State.ASLEEP,
    (State.DRAINING, Event.CRASH_LOOP): State.FAILED,
    (State.DROWSY, Event.REQUEST): State.AWAKENING,
    (State.DROWSY, Event.SLEEP): State.ASLEEP,
    (State.DROWSY, Event.DEEP_SLEEP): State.ASLEEP,
    (State.DROWSY, Event.REPLICA_LOST): State.ASLEEP,
}

# States somebody must lead out of: a reconciler holds a lease on them, the sweep looks after them.
TRANSIENT = frozenset({State.AWAKENING, State.DRAINING})


def after(state: State, event: Event) -> State | None:
    """The state that follows, or None when the event means nothing in this state."""
    return MOVES.get((state, event))


def public_status(state: State) -> str:
    """The one word `GET /v1` says: "running" when a request would be answered at once."""
    return "running" if state in (State.AWAKE, State.DRAINING, State.DROWSY) else "starting"
