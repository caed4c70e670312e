"""How a state looks on a page: its word, its icon, its second line."""

from dataclasses import dataclass
from datetime import datetime

from dashboard import times
from hosting.models import HostedModel
from hosting.states import State


@dataclass(frozen=True, slots=True)
class Look:
    """One state as people see it. `css` is its class, for the pill, the ribbon and the chart."""

    word: str
    icon: str
    css: str


LOOKS = {
    State.ASLEEP: Look("Asleep", "moon", "asleep"),
    State.AWAKENING: Look("Awakening", "sunrise", "awakening"),
    State.AWAKE: Look("Awake", "sun", "awake"),
    State.DRAINING: Look("Falling asleep", "moon", "draining"),
    State.DROWSY: Look("Drowsy", "moon", "drowsy"),
    State.FAILED: Look("Failed", "triangle-alert", "failed"),
}
OFF = Look("Switched off", "power", "off")
FILTERS = (State.AWAKE, State.AWAKENING, State.DROWSY, State.ASLEEP, State.FAILED)


@dataclass(frozen=True, slots=True)
class StateView:
    """A model's state and the line beneath it."""

    look: Look
    detail: str
    bad: bool = False
    percent: int | None = None  # how far a wake is, where it is known how long one takes


def view(model: HostedModel, *, now: datetime) -> StateView:
    """What to say about the model now."""
    if not model.active:
        return StateView(OFF, "answers 404")
    state = model.current_state
    passed = (now - model.state_changed_at).total_seconds()
    if state == State.FAILED:
        return StateView(LOOKS[state], model.failure_reason or "It did not wake up.", bad=True)
    if model.payment_required:
        return StateView(LOOKS[state], "answers 402: out of budget or credits", bad=True)
    if state == State.AWAKENING and model.wait_reason:
        return StateView(LOOKS[state], f"Waits for room. {model.wait_reason}")
    if state == State.ASLEEP:
        today = passed < times.DAY
        since = (
            f"{model.state_changed_at:%H:%M} UTC"
            if today
            else times.on(model.state_changed_at, now=now)
        )
        return StateView(LOOKS[state], f"since {since}")
    usual = model.revision.wake_seconds if model.revision else None
    if state == State.AWAKENING and usual is not None:
        percent = min(100, round(100 * passed / max(usual, 0.01)))
        detail = f"for {times.roughly(passed)}, usually {times.lasting(usual)}"
        return StateView(LOOKS[state], detail, percent=percent)
    return StateView(LOOKS[state], f"for {times.roughly(passed)}")


def look(state: str) -> Look:
    """The look of a state by its name in a row."""
    return LOOKS[State(state)]


def in_filter(model: HostedModel, wanted: State) -> bool:
    """Whether the list shows the model under this state; falling asleep counts as awake."""
    state = State.AWAKE if model.current_state == State.DRAINING else model.current_state
    return model.active and state == wanted
