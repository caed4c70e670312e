"""Measure what a wake costs above what the engine and the model itself take.

Sizes come from the environment: WAKES (measured alone), CROWD_WAKES × CALLERS, INJECT_UNTIL_MS,
INJECT_EVERY_MS, POLLS. The defaults end in a few minutes; the full run of docs/benchmarks.md is
WAKES=200 CROWD_WAKES=1000.
"""

import os
import signal
import statistics
import sys

from benchmarks.wake import stack


def main() -> int:
    """Run every phase and print one line per figure; fails when a request was lost."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # end the stack as well
    with stack.running(runtime="docker") as port:
        return _measure(port)


def _measure(port: int) -> int:
    # Only now: these load Django, which the stack has just set up.
    from benchmarks.wake import phases, polling, subject

    models = [subject.create(number) for number in range(_size("MODELS", 4))]
    first = models[0]
    phases.from_asleep(first, port=port, times=3)  # images, caches, connections
    alone = phases.from_asleep(first, port=port, times=_size("WAKES", 40))
    drowsy = phases.from_drowsy(first, port=port, times=_size("WAKES", 40))
    until, every = _size("INJECT_UNTIL_MS", 500), _size("INJECT_EVERY_MS", 10)
    injections = [
        phases.injected(first, port=port, deep=deep, until_ms=until, every_ms=every)
        for deep in (True, False)
    ]
    polls = {
        seconds: [
            polling.wake(number * 10 + seconds, every_seconds=seconds)
            for number in range(_size("POLLS", 3))
        ]
        for seconds in (1, 5)
    }
    crowd = phases.crowds(
        models, port=port, wakes=_size("CROWD_WAKES", 40), count=_size("CALLERS", 20)
    )
    _print_steps("from asleep", alone.steps)
    _print_steps("from drowsy", drowsy.steps)
    print(f"wake_p50_ms: {_percentile(alone.total, 50):.0f}")
    print(f"overhead_p50_ms: {_percentile(alone.overhead, 50):.1f}")
    print(f"overhead_p95_ms: {_percentile(alone.overhead, 95):.1f}")
    print(f"drowsy_p50_ms: {_percentile(drowsy.total, 50):.1f}")
    print(f"drowsy_p95_ms: {_percentile(drowsy.total, 95):.1f}")
    for seconds, taken in polls.items():
        ratio = statistics.median(taken) / _percentile(alone.total, 50)
        print(f"polling_{seconds}s_p50_ms: {statistics.median(taken):.0f} ({ratio:.1f} times ours)")
    rounds = [alone, drowsy, crowd, *injections]
    lost = sum(each.lost for each in rounds)
    print(f"injected: {sum(each.asked for each in injections)}")
    print(f"crowd: {crowd.wakes} wakes, {crowd.asked} requests")
    print(f"crowd_p50_ms: {_percentile(crowd.total, 50):.0f}")
    print(f"lost: {lost}")
    woken = [alone, crowd]
    starts = sum(each.starts for each in woken) / sum(each.wakes for each in woken)
    print(f"starts_per_wake: {starts:g}")
    return 1 if lost else 0


def _print_steps(title: str, steps: dict[str, list[float]]) -> None:
    for step, taken in steps.items():
        print(f"  {title}: {step}: {statistics.median(taken):.1f} ms")


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else -1.0


def _size(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


if __name__ == "__main__":
    sys.exit(main())
