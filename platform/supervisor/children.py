"""Keeping a set of processes alive: restart what dies, stop all in order."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from supervisor import spawning

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
_STEADY_SECONDS = 60.0  # who ran this long has earned a quick restart again


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep alive."""

    name: str
    argv: Sequence[str]
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 15.0


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    delay: float = _FIRST_DELAY
    restart_at: float = field(default=0.0)


class Children:
    """The processes of one installation. Not safe to share between threads."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        environment: Mapping[str, str],
        logs: Path,
        cwd: Path,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._children = [_Child(program) for program in programs]
        self._environment = environment
        self._logs = logs
        self._cwd = cwd
        self._say = say
        self._clock = clock
        self._held: frozenset[str] = frozenset()

    def hold(self, *names: str) -> None:
        """Don't start these until told otherwise; replaces what was held before."""
        self._held = frozenset(names)

    def check(self) -> None:
        """Start what doesn't run, each after its own delay. Call it a few times a second."""
        now = self._clock()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._bury(child, now=now)
            due = now >= child.restart_at and child.program.name not in self._held
            if child.process is None and due:
                self._start(child, now=now)

    def pid(self, name: str) -> int | None:
        """The pid of a running child."""
        for child in self._children:
            if child.program.name == name and child.process and child.process.poll() is None:
                return child.process.pid
        return None

    def stop(self) -> None:
        """Stop them one after the other, in the order they were given."""
        for child in self._children:
            if child.process is not None:
                program = child.program
                spawning.stop(
                    child.process, by=program.stop_signal, grace_seconds=program.grace_seconds
                )
                child.process = None

    def kill(self) -> None:
        """End them now."""
        for child in self._children:
            if child.process is not None:
                spawning.stop(child.process, by=signal.SIGKILL, grace_seconds=5.0)
                child.process = None

    def _start(self, child: _Child, *, now: float) -> None:
        program = child.program
        child.process = spawning.spawn(
            program.argv,
            log=self._logs / f"{program.name}.log",
            environment=self._environment,
            cwd=self._cwd,
            death_signal=program.stop_signal,
        )
        child.started_at = now

    def _bury(self, child: _Child, *, now: float) -> None:
        assert child.process is not None
        if now - child.started_at >= _STEADY_SECONDS:
            child.delay = _FIRST_DELAY
        log = self._logs / f"{child.program.name}.log"
        self._say(
            f"{child.program.name} ended with {child.process.returncode}; "
            f"starting it again in {child.delay:g} s. See {log}"
        )
        child.process = None
        child.restart_at = now + child.delay
        child.delay = min(child.delay * 2, _LONGEST_DELAY)
