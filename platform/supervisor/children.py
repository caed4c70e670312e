"""Keeping a set of processes alive: restart what dies, stop all in order."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from supervisor import spawning

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 10.0  # callers are held meanwhile: never half a minute for nothing
_STEADY_SECONDS = 10.0  # who ran this long has earned a quick restart again


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep alive."""

    name: str
    argv: Sequence[str]
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 15.0
    user: int | None = None  # None: as ourselves
    cwd: Path | None = None  # None: where all of them run
    clear: Callable[[], None] | None = None  # what to do before a start, for it not to fail

    def start(
        self, *, log: Path, cwd: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start it once, output appended to `log`. Raises OSError, of a full disk for example."""
        if self.clear is not None:
            self.clear()
        return spawning.spawn(
            self.argv,
            log=log,
            environment=environment,
            user=self.user,
            cwd=self.cwd or cwd,
            death_signal=self.stop_signal,
        )

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stop what `start` started. Gone already is success."""
        spawning.stop(process, by=self.stop_signal, grace_seconds=self.grace_seconds)


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

    def adopt(self, program: Program, process: subprocess.Popen[bytes]) -> None:
        """Look after one that runs already; it is stopped after those that were there before."""
        self._children.append(_Child(program, process, started_at=self._clock()))

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

    def hurry(self) -> None:
        """What kept them from running is gone: start at once what waits for its next try."""
        for child in self._children:
            child.restart_at, child.delay = 0.0, _FIRST_DELAY

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
                child.program.stop(child.process)
                child.process = None

    def kill(self) -> None:
        """End them now."""
        for child in self._children:
            if child.process is not None:
                spawning.stop(child.process, by=signal.SIGKILL, grace_seconds=5.0)
                child.process = None

    def _start(self, child: _Child, *, now: float) -> None:
        try:
            child.process = child.program.start(
                log=self._log(child), cwd=self._cwd, environment=self._environment
            )
        except OSError as error:  # the others are not to suffer for it
            self._put_off(child, why=f"can't be started ({error})", now=now)
        child.started_at = now

    def _bury(self, child: _Child, *, now: float) -> None:
        assert child.process is not None
        if now - child.started_at >= _STEADY_SECONDS:
            child.delay = _FIRST_DELAY
        self._put_off(child, why=f"ended with {child.process.returncode}", now=now)
        child.process = None

    def _put_off(self, child: _Child, *, why: str, now: float) -> None:
        self._say(
            f"{child.program.name} {why}; "
            f"starting it again in {child.delay:g} s. See {self._log(child)}"
        )
        child.restart_at = now + child.delay
        child.delay = min(child.delay * 2, _LONGEST_DELAY)

    def _log(self, child: _Child) -> Path:
        return self._logs / f"{child.program.name}.log"
