"""The measurements, one function each. All times are milliseconds."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from django.conf import settings
from django.db import close_old_connections

from benchmarks.wake import callers, subject
from hosting import nudges
from hosting.models import HostedModel, Transition
from hosting.states import Event


@dataclass
class Wakes:
    """What some wakes cost, and what was lost."""

    total: list[float] = field(default_factory=list)
    overhead: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=dict)
    lost: int = 0
    asked: int = 0
    starts: int = 0
    wakes: int = 0

    def add(self, answers: list[callers.Answer]) -> None:
        """Count one round of answers."""
        self.asked += len(answers)
        self.lost += sum(answer.status != 200 for answer in answers)
        self.total += [answer.milliseconds for answer in answers if answer.status == 200]

    def merge(self, other: "Wakes") -> None:
        """Count what another counted, its steps left out."""
        self.total += other.total
        self.lost += other.lost
        self.asked += other.asked
        self.starts += other.starts
        self.wakes += other.wakes

    def note(self, step: str, seconds: float) -> None:
        """Keep how long one step of a wake took."""
        self.steps.setdefault(step, []).append(seconds * 1000)


def from_asleep(model: HostedModel, *, port: int, times: int) -> Wakes:
    """One caller wakes it; the engine's start and the server's own start are taken off."""
    found = Wakes()
    for _ in range(times):
        (answer,) = _wake(model, port=port, count=1, found=found, deep=True)
        if answer.status != 200:
            continue
        replica = subject.last_replica(model)
        ready_at = answer.body["ready_at"]
        begun = replica.created_at.timestamp()
        started = replica.started_at.timestamp() if replica.started_at else begun
        known = replica.ready_at.timestamp() if replica.ready_at else begun
        found.overhead.append(answer.milliseconds - (ready_at - begun) * 1000)
        found.note("asked → task taken", _taken(model) - answer.asked_at)
        found.note("task taken → engine asked", begun - _taken(model))
        found.note("engine asked → container runs", started - begun)
        found.note("server listens → known to be ready", known - ready_at)
        found.note("known to be ready → first byte", answer.first_byte_at - known)
    return found


def from_drowsy(model: HostedModel, *, port: int, times: int) -> Wakes:
    """One caller wakes it from its pause; nothing is taken off."""
    found = Wakes()
    for _ in range(times):
        (answer,) = _wake(model, port=port, count=1, found=found, deep=False)
        awake = model.transitions.filter(event=Event.READY).latest("pk").at.timestamp()
        found.note("asked → task taken", _taken(model) - answer.asked_at)
        found.note("task taken → resumed", awake - _taken(model))
        found.note("resumed → first byte", answer.first_byte_at - awake)
    return found


def crowds(models: list[HostedModel], *, port: int, wakes: int, count: int) -> Wakes:
    """Many wakes with many callers each, several models at a time."""
    share = wakes // len(models)

    def of_one(model: HostedModel) -> Wakes:
        found = Wakes()  # its own: threads that add to one number lose some
        for _ in range(share):
            _wake(model, port=port, count=count, found=found, deep=True)
        close_old_connections()
        return found

    together = Wakes()
    with ThreadPoolExecutor(len(models)) as pool:
        for each in pool.map(of_one, models):
            together.merge(each)
    return together


def injected(model: HostedModel, *, port: int, deep: bool, until_ms: int, every_ms: int) -> Wakes:
    """A request at every moment of the way to sleep, each in a sleep of its own."""
    found = Wakes()
    for offset in range(0, until_ms, every_ms):
        asyncio.run(callers.together(port, [subject.host(model)]))  # awake now
        stop = threading.Event()
        hurrying = threading.Thread(target=_hurry, args=(model, stop))
        subject.begin_sleep(model, deep=deep)
        hurrying.start()
        time.sleep(offset / 1000)
        found.add(asyncio.run(callers.together(port, [subject.host(model)])))
        stop.set()
        hurrying.join()
    return found


def _wake(
    model: HostedModel, *, port: int, count: int, found: Wakes, deep: bool
) -> list[callers.Answer]:
    subject.sleep(model, deep=deep)
    before = subject.replicas(model)
    answers = asyncio.run(callers.together(port, [subject.host(model)] * count))
    found.add(answers)
    found.wakes += 1
    found.starts += subject.replicas(model) - before
    return answers


def _hurry(model: HostedModel, stop: threading.Event) -> None:
    while not stop.wait(0.03):
        nudges.reconcile(settings.REDIS_URL, model_id=model.pk)


def _taken(model: HostedModel) -> float:
    moves = Transition.objects.filter(model=model, event=Event.REQUEST)
    return moves.latest("pk").at.timestamp()
