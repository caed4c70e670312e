"""The faults: a seeded list of what goes wrong, and how each is made to."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import docker
from django.conf import settings
from docker.errors import APIError

from benchmarks.faults import processes
from benchmarks.faults.subject import Subject
from hosting.runtimes import box

TOO_LATE = "(too late)"  # what a kind ends with whose container was gone
HOLDER = "dormouse.holder"  # the label of those
# Who is killed again sooner is started again later, and that is not the subject.
_KILLED_EVERY_SECONDS = 20.0
_MOST_PAUSE_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Planned:
    """What will go wrong, as the seed says it."""

    kind: str
    after_seconds: float
    chance: float  # 0 to 1: which one of those there are then, and for how long


@dataclass(slots=True)
class Fault:
    """What went wrong, when (unix seconds), with which model or process."""

    kind: str
    target: str
    began: float
    ended: float
    replica: str = ""  # the name of the one that was hurt


_WEIGHTS = {
    "container kill": 6,
    "container pause": 4,
    "container stop": 3,
    "container remove": 4,
    "holder remove": 2,
    "kill router": 2,
    "kill web": 1,
    "kill worker-lifecycle": 3,
    "kill worker-default": 1,
    "kill beat": 1,
    "kill shipper": 1,
    "freeze router": 2,
    "freeze web": 1,
    "freeze worker-lifecycle": 2,
    "freeze worker-default": 1,
    "freeze shipper": 1,
    "freeze valkey": 2,
    "freeze postgres": 2,
    "deploy": 4,
    "deploy broken": 2,
    "switch off": 2,
    "delete": 2,
    "sleep": 2,
}


def plan(seed: int) -> "list[Planned]":
    """Enough for an hour; the same for the same seed."""
    chance = random.Random(seed)
    kinds = chance.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values()), k=3000)
    return [
        Planned(kind, chance.uniform(0.2, _MOST_PAUSE_SECONDS), chance.random()) for kind in kinds
    ]


class Faults:
    """Has things go wrong, one after the other, in a thread of its own."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self.happened: list[Fault] = []
        self._subjects = subjects
        self._client = docker.APIClient()
        self._killed_at: dict[str, float] = {}
        self._thaws: list[threading.Timer] = []

    def run(self, planned: Sequence[Planned], *, until: float) -> None:
        """Do as planned until this moment; returns when nothing is frozen or off any more."""
        for each in planned:
            time.sleep(each.after_seconds)
            if time.time() >= until:
                break
            self._do(each)
        for thaw in self._thaws:
            thaw.join()

    def _do(self, planned: Planned) -> None:
        what, _, which = planned.kind.partition(" ")
        if what in ("container", "holder"):
            self._hurt_container(planned, label=box.INSTALLATION if what == "container" else HOLDER)
        elif what == "kill":
            if time.time() - self._killed_at.get(which, 0) > _KILLED_EVERY_SECONDS:
                self._killed_at[which] = time.time()
                self._note(planned.kind, which, lambda: processes.kill(which))
        elif what == "freeze":
            seconds = 0.5 + 6 * planned.chance
            fault = self._note(
                planned.kind, which, lambda: self._thaws.append(_frozen(which, seconds))
            )
            fault.ended = fault.began + seconds
        else:
            subject = self._subjects[int(planned.chance * len(self._subjects))]
            self._note(planned.kind, subject.name, lambda: _by_owner(planned.kind, subject))

    def _hurt_container(self, planned: Planned, *, label: str) -> None:
        filters = {"label": f"{label}={settings.INSTALLATION}"}
        there = self._client.containers(filters=filters)
        if not there:
            return
        row = sorted(there, key=lambda each: each["Id"])[int(planned.chance * len(there))]
        model = row["Labels"].get("dormouse.model", "")
        doing = {
            "kill": lambda: self._client.kill(row["Id"]),
            "pause": lambda: self._client.pause(row["Id"]),
            "stop": lambda: self._client.stop(row["Id"], timeout=1),
            "remove": lambda: self._client.remove_container(row["Id"], force=True),
        }[planned.kind.partition(" ")[2]]
        for subject in self._subjects:
            if subject.name == model:
                subject.forget_failures()
        fault = self._note(planned.kind, model, doing)
        fault.replica = row["Labels"].get(box.REPLICA, "")

    def _note(self, kind: str, target: str, do: Callable[[], object]) -> Fault:
        fault = Fault(kind, target, time.time(), time.time() + 3600)  # until it is over
        self.happened.append(fault)
        try:
            do()
        except APIError:  # the platform stopped, removed, paused or resumed it a moment before
            fault.kind = f"{kind} {TOO_LATE}"
        fault.ended = time.time()
        return fault


def _frozen(name: str, seconds: float) -> threading.Timer:
    return processes.freeze(name, seconds=seconds)


def _by_owner(kind: str, subject: Subject) -> None:
    if kind.startswith("deploy"):
        subject.deploy(broken=kind.endswith("broken"))
    elif kind == "switch off":
        subject.switch(on=False)
        time.sleep(1.0)
        subject.switch(on=True)
    elif kind == "delete":
        subject.delete()
        subject.replace()
    else:
        subject.sleep()
