"""Measure what a wake costs above what the engine and the model itself take.

`ONLY=drowsy,held` runs some of the phases; `FULL=1` takes the sizes of docs/benchmarks.md instead
of those that end in a few minutes. Each size can be given by itself: WAKES (measured alone),
CROWD_WAKES x CALLERS over MODELS at a time, INJECT_UNTIL_MS, INJECT_EVERY_MS, POLLS, HELD (callers
of one wake), ASLEEP (models) and ASLEEP_SECONDS.
"""

import os
import signal
import statistics
import sys
from typing import TYPE_CHECKING

from benchmarks import stack

if TYPE_CHECKING:
    from benchmarks.wake.phases import Wakes

_FULL = {"WAKES": 200, "CROWD_WAKES": 1000, "ASLEEP_SECONDS": 60}


def main() -> int:
    """Run the phases and print one line per figure; fails when a request was lost."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # end the stack as well
    chosen = os.environ.get("ONLY", "asleep,drowsy,injected,polling,crowd,held,sleeping").split(",")
    with stack.running(runtime="docker") as port:
        bench = Bench(port)
        for name in chosen:
            getattr(bench, name)()
        return bench.conclude()


class Bench:
    """The phases by name, each with the lines it prints."""

    def __init__(self, port: int) -> None:
        # Only now: these load Django, which the stack has just set up.
        from benchmarks.wake import phases, subject

        self.port = port
        self.rounds: list[Wakes] = []
        self.woken: list[Wakes] = []
        self.models = [subject.create(number) for number in range(_size("MODELS", 4))]
        self.first = self.models[0]
        phases.from_asleep(self.first, port=port, times=3)  # images, caches, connections

    def asleep(self) -> None:
        """Wakes from asleep, one caller each."""
        from benchmarks.wake import phases

        found = phases.from_asleep(self.first, port=self.port, times=_size("WAKES", 40))
        self._count(found, starts=True)
        _print_steps("from asleep", found.steps)
        print(f"wake_p50_ms: {_percentile(found.total, 50):.0f}")
        print(f"overhead_p50_ms: {_percentile(found.overhead, 50):.1f}")
        print(f"overhead_p95_ms: {_percentile(found.overhead, 95):.1f}")

    def drowsy(self) -> None:
        """Wakes from the pause, one caller each."""
        from benchmarks.wake import phases

        found = phases.from_drowsy(self.first, port=self.port, times=_size("WAKES", 40))
        self._count(found)
        _print_steps("from drowsy", found.steps)
        print(f"drowsy_p50_ms: {_percentile(found.total, 50):.1f}")
        print(f"drowsy_p95_ms: {_percentile(found.total, 95):.1f}")

    def injected(self) -> None:
        """A request at every moment of falling asleep, and of becoming drowsy."""
        from benchmarks.wake import phases

        until, every = _size("INJECT_UNTIL_MS", 500), _size("INJECT_EVERY_MS", 10)
        both = [
            phases.injected(self.first, port=self.port, deep=deep, until_ms=until, every_ms=every)
            for deep in (True, False)
        ]
        self._count(*both)
        print(f"injected: {sum(each.asked for each in both)}")

    def polling(self) -> None:
        """The same container behind a loop that polls."""
        from benchmarks.wake import polling

        ours = self.woken[0].total if self.woken else []
        for seconds in (1, 5):
            taken = [
                polling.wake(number * 10 + seconds, every_seconds=seconds)
                for number in range(_size("POLLS", 3))
            ]
            middle = statistics.median(taken)
            beside = f" ({middle / _percentile(ours, 50):.1f} times ours)" if ours else ""
            print(f"polling_{seconds}s_p50_ms: {middle:.0f}{beside}")

    def crowd(self) -> None:
        """Many wakes with many callers each, several models at a time."""
        from benchmarks.wake import phases

        wakes, callers = _size("CROWD_WAKES", 40), _size("CALLERS", 20)
        found = phases.crowds(self.models, port=self.port, wakes=wakes, count=callers)
        self._count(found, starts=True)
        print(f"crowd: {found.wakes} wakes, {found.asked} requests, {found.lost} lost")
        print(f"crowd_p50_ms: {_percentile(found.total, 50):.0f}")

    def held(self) -> None:
        """Very many callers of one wake, at a router whose bounds are raised."""
        from benchmarks.wake import holding

        found, bytes_each = holding.hold(count=_size("HELD", 2000))
        self._count(found)
        print(f"held: {found.asked} requests on one waking model, {found.lost} lost")
        print(f"held_last_ms: {max(found.total):.0f}")
        print(f"held_kib_each: {bytes_each / 1024:.1f}")

    def sleeping(self) -> None:
        """What the control plane does for models that sleep."""
        from benchmarks.wake import sleeping

        count, seconds = _size("ASLEEP", 500), _size("ASLEEP_SECONDS", 20)
        without, with_them = sleeping.cpu_share(count, seconds=seconds)
        print(f"cpu_without_percent: {without * 100:.2f}")
        print(f"cpu_with_{count}_asleep_percent: {with_them * 100:.2f}")
        print(f"sweep_p50_ms: {sleeping.sweep_ms():.1f}")

    def conclude(self) -> int:
        """Print what is true of all phases."""
        lost = sum(each.lost for each in self.rounds)
        print(f"lost: {lost}")
        if self.woken:
            starts = sum(each.starts for each in self.woken)
            print(f"starts_per_wake: {starts / sum(each.wakes for each in self.woken):g}")
        print(f"load_average: {os.getloadavg()[0]:.1f}")
        return 1 if lost else 0

    def _count(self, *found: "Wakes", starts: bool = False) -> None:
        self.rounds += found
        if starts:
            self.woken += found


def _print_steps(title: str, steps: dict[str, list[float]]) -> None:
    for step, taken in steps.items():
        print(f"  {title}: {step}: {statistics.median(taken):.1f} ms")


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else -1.0


def _size(name: str, default: int) -> int:
    full = _FULL.get(name, default) if os.environ.get("FULL") else default
    return int(os.environ.get(name, full))


if __name__ == "__main__":
    sys.exit(main())
