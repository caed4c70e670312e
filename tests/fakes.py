"""Stand-ins that keep state. The runtime contract tests run against FakeRuntime too."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hosting.errors import BuildFailed, ImageMissing, ReplicaFailed, RuntimeUnavailable
from hosting.protocols.base import ModelProtocol, Readiness, Settings
from hosting.runtimes.base import (
    LOCAL,
    Node,
    Observed,
    Output,
    Progress,
    Recipe,
    ReplicaSpec,
    Status,
    Stream,
)


@dataclass
class FakeRuntime:
    """A container engine in memory.

    `started` and `stopped` keep the names in order, repeats that found something left out.
    Faults: `available = False` (the engine is down), `refuse_images` (image -> reason),
    `nodes_without` (image -> the nodes that lack it),
    `start_then_raise` (the container starts, the caller never hears of it: a worker that died),
    `exit(name)` (the container ends by itself), `vanish(name)` (gone without a trace),
    `lose_node(name)` (a machine goes away with all that runs there).
    """

    name: str = "fake"
    isolates: bool = False
    warning: str | None = None
    watches: bool = True
    pauses: bool = True
    machines: list[Node] = field(default_factory=lambda: [Node(LOCAL, 1_000_000, 1_000)])
    held: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    host: str = "127.0.0.1"
    first_port: int = 40001
    available: bool = True
    start_then_raise: BaseException | None = None
    refuse_images: dict[str, str] = field(default_factory=dict)
    nodes_without: dict[str, set[str]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    on_resume: Callable[[str], None] = lambda _: None
    specs: dict[str, ReplicaSpec] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)  # image -> what one run prints
    labels: dict[tuple[str, str], str] = field(default_factory=dict)  # image, label -> text
    run_once: list[ReplicaSpec] = field(default_factory=list)
    built: set[str] = field(default_factory=set)
    failing_builds: set[str] = field(default_factory=set)
    _observed: dict[str, Observed] = field(default_factory=dict)
    nanoseconds: int = 1_780_000_000_000_000_000
    last_words: str = ""  # what every container writes when it is told to end
    _logs: dict[str, list[Output]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def nodes(self) -> list[Node]:
        self._answer()
        return list(self.machines)

    def hold(self, keys: Sequence[str]) -> None:
        self._answer()
        self.held = list(keys)

    def start(self, spec: ReplicaSpec) -> Observed:
        self._answer()
        with self._lock:
            self._start_once(spec)
        if self.start_then_raise is not None:
            fault, self.start_then_raise = self.start_then_raise, None
            raise fault
        return self._observed[spec.name]

    def _start_once(self, spec: ReplicaSpec) -> None:
        if spec.name not in self._observed:
            if spec.image in self.refuse_images:
                raise ReplicaFailed(self.refuse_images[spec.image])
            if spec.node in self.nodes_without.get(spec.image, ()):
                raise ImageMissing(f"{spec.node} has no such image.")
            self._observed[spec.name] = Observed(
                name=spec.name,
                status=Status.RUNNING,
                host=self.host,
                port=self.first_port + len(self.started),
                labels=dict(spec.labels),
            )
            self.specs[spec.name] = spec
            self.started.append(spec.name)
            if all(spec.node != machine.name for machine in self.machines):
                self._lose(spec.name)

    def find(self, name: str) -> Observed | None:
        self._answer()
        return self._observed.get(name)

    def replicas(self) -> list[Observed]:
        self._answer()
        return list(self._observed.values())

    def end(self, name: str, *, grace_seconds: float = 10.0) -> None:
        self._answer()
        if self._is_running(name):
            if self.last_words:
                self.write_log(name, self.last_words)
            self._observed[name] = replace(
                self._observed[name], status=Status.EXITED, host=None, port=None, exit_code=0
            )

    def stop(self, name: str, *, grace_seconds: float = 10.0) -> None:
        self._answer()
        if self._observed.pop(name, None) is not None:
            self.stopped.append(name)
        self._logs.pop(name, None)

    def pause(self, name: str) -> None:
        self._answer()
        if self._is_running(name):
            self._observed[name] = replace(self._observed[name], paused=True)
            self.paused.append(name)

    def resume(self, name: str) -> bool:
        self._answer()
        if not self._is_running(name):
            return False
        self._observed[name] = replace(self._observed[name], paused=False)
        self.resumed.append(name)
        self.on_resume(name)
        return True

    def _is_running(self, name: str) -> bool:
        observed = self._observed.get(name)
        return observed is not None and observed.status == Status.RUNNING

    def deaths(self) -> Iterator[str]:
        """What `told` holds; then the stream ends, as when the engine goes away."""
        self._answer()
        while self.told:
            yield self.told.pop(0)

    def log(self, name: str, *, after: int = 0, follow: bool = False) -> Iterator[Output]:
        """What was written; followed, it ends as when the engine goes away."""
        self._answer()
        yield from [each for each in self._logs.get(name, []) if each.at > after]

    def output_of(self, spec: ReplicaSpec, *, seconds: float) -> str:
        self._answer()
        self.run_once.append(spec)
        if spec.image not in self.outputs:
            raise ReplicaFailed("It did not end in time.")
        return self.outputs[spec.image]

    def label_of(self, spec: ReplicaSpec, label: str) -> str:
        self._answer()
        return self.labels.get((spec.image, label), "")

    def is_built(self, recipe: Recipe) -> bool:
        self._answer()
        return recipe.fingerprint in self.built

    def build(self, recipe: Recipe, *, progress: Progress) -> None:
        self._answer()
        progress(1, 2, f"Preparing {recipe.slug}")
        if recipe.slug in self.failing_builds:
            raise BuildFailed(f"{recipe.slug} could not be built: no space left on device")
        progress(2, 2, f"Packing {recipe.slug}")
        self.built.add(recipe.fingerprint)

    # What happens to containers without anybody asking.

    def exit(self, name: str, *, exit_code: int = 1, out_of_memory: bool = False) -> None:
        """The container ends by itself; the engine remembers it until stop()."""
        self.told.append(name)
        self._observed[name] = replace(
            self._observed[name],
            status=Status.EXITED,
            host=None,
            port=None,
            paused=False,
            exit_code=137 if out_of_memory else exit_code,
            out_of_memory=out_of_memory,
        )

    def vanish(self, name: str) -> None:
        """The container is gone without a trace, as after a pruned engine."""
        del self._observed[name]

    def lose_node(self, node: str) -> None:
        """The machine is gone: nobody knows what became of its containers."""
        self.machines = [each for each in self.machines if each.name != node]
        for name in self._observed:
            if self.specs[name].node == node:
                self._lose(name)

    def _lose(self, name: str) -> None:
        self.told.append(name)
        self._observed[name] = Observed(
            name, Status.EXITED, lost=True, labels=self._observed[name].labels
        )

    def write_log(self, name: str, text: str, *, stream: str = Stream.OUT) -> None:
        """The model prints something; each line a second after the one before."""
        for line in text.splitlines():
            self.nanoseconds += 1_000_000_000
            self._logs.setdefault(name, []).append(Output(self.nanoseconds, stream, line))

    def _answer(self) -> None:
        if not self.available:
            raise RuntimeUnavailable("The container engine doesn't answer. Is it running?")


class FakeClock:
    """Time that passes only when somebody sleeps or a test says so.

    `on_sleep` is called with the new time after every sleep: what happens meanwhile.
    """

    def __init__(self, now: datetime) -> None:
        self.time = now
        self.passed = 0.0
        self.on_sleep: Callable[[datetime], None] = lambda _: None

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.advance(seconds=seconds)
        self.on_sleep(self.time)

    def advance(self, **duration: float) -> datetime:
        """Let time pass, e.g. `advance(minutes=5)`; returns the new time."""
        self.passed += timedelta(**duration).total_seconds()
        return self.set(**duration)

    def set(self, **difference: float) -> datetime:
        """Somebody sets the clock, e.g. `set(hours=-1)`: no time passes; returns the new time."""
        self.time += timedelta(**difference)
        return self.time


@dataclass
class FakeProbe:
    """Answers `verdict` from the `asks`-th probe on, WAITING before."""

    asks: int = 1
    verdict: Readiness = Readiness.READY
    asked: list[tuple[str, int]] = field(default_factory=list)

    def __call__(
        self, host: str, port: int, *, protocol: ModelProtocol, settings: Settings
    ) -> Readiness:
        self.asked.append((host, port))
        return self.verdict if len(self.asked) >= self.asks else Readiness.WAITING
