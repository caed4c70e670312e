"""`make bench-router`: our router beside nginx, and with `FULL=1` beside others, at the same time.

Rounds are interleaved, so a busy neighbour slows all alike. CPU per request is the stable figure;
read it as ±15 %. nginx only routes by Host; ours checks tokens, keeps every limit and writes the
spool. What the others do is said in `peers.py`.
"""

import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.router import measure, peers, world
from benchmarks.router.world import Target

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS_EACH", "3"))
FULL = os.environ.get("FULL", "") not in ("", "0")
HELD = 10_000
SLICES = 6  # of latency, in a round


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-router-") as folder, ExitStack() as stack:
        made = stack.enter_context(world.world(Path(folder)))
        ours = stack.enter_context(world.dormouse(made))
        theirs = stack.enter_context(world.nginx(made))
        others = _others(made, stack) if FULL else []
        print(f"# load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        _vary([theirs, ours, *others])
        _blob(theirs, ours)
        _latency(made, theirs, ours)
        _memory(made)
        _events(made, theirs, ours)


def _others(made: world.World, stack: ExitStack) -> list[Target]:
    found = []
    for start in peers.ALL:
        try:
            found.append(stack.enter_context(start(made)))
        except peers.Missing as missing:
            print(f"# without {start.__name__}: {missing}", flush=True)
    return found


def _vary(targets: list[Target]) -> None:
    """Each request another head, for another model, with another answer."""
    rates: dict[str, list[float]] = {target.name: [] for target in targets}
    costs: dict[str, list[float]] = {target.name: [] for target in targets}
    for target in targets:
        measure.throughput(target, seconds=1)  # connections and memories warm up
    for _ in range(ROUNDS):
        for target in targets:
            rate, cost = measure.throughput(target, seconds=SECONDS)
            rates[target.name].append(rate)
            costs[target.name].append(cost)
    rate = {name: statistics.median(each) for name, each in rates.items()}
    cost = {name: statistics.median(each) for name, each in costs.items()}
    for target in targets:
        _say("requests_per_second_and_core", target.name, rate[target.name])
        _say("cpu_us_per_request", target.name, cost[target.name])
    for target in targets[1:]:
        mark = "" if target.name == "dormouse" else f"_of_{target.name}"
        print(f"ratio_to_nginx{mark}: {rate[target.name] / rate['nginx']:.2f}")
        print(f"cpu_ratio_to_nginx{mark}: {cost[target.name] / cost['nginx']:.2f}")
    for target in targets[2:]:
        print(f"ratio_to_{target.name}: {rate['dormouse'] / rate[target.name]:.2f}")
        print(f"cpu_ratio_to_{target.name}: {cost['dormouse'] / cost[target.name]:.2f}")
    sys.stdout.flush()


def _blob(theirs: Target, ours: Target) -> None:
    """Answers of 1 MiB, of few models: all connections are kept. nginx has buffers of 128 kB."""
    costs = {}
    for target in (theirs, ours):
        _, costs[target.name] = measure.throughput(
            target, seconds=SECONDS, path="/v1/blob", method="GET", connections=8, models=8
        )
        _say("cpu_us_per_mib_answer", target.name, costs[target.name])
    print(f"blob_cpu_ratio_to_nginx: {costs[ours.name] / costs[theirs.name]:.2f}", flush=True)


def _latency(made: world.World, theirs: Target, ours: Target) -> None:
    """Short slices, in turn: a slice says more of its moment than of what was asked in it.

    So each ratio is of three slices that followed one another, and the median of those is said.
    """
    direct = Target("direct", made.stub_port, 0)
    samples: dict[str, list[float]] = {each.name: [] for each in (direct, theirs, ours)}
    for _ in range(SLICES * ROUNDS):
        for target in (direct, theirs, ours):
            samples[target.name].append(measure.latency_ms(target, seconds=1))
    bare = samples[direct.name]
    added = {
        each.name: [taken - least for taken, least in zip(samples[each.name], bare, strict=True)]
        for each in (theirs, ours)
    }
    _say("p50_ms_at_500_per_second", direct.name, statistics.median(bare))
    for name, values in added.items():
        _say("added_p50_ms_at_500_per_second", name, statistics.median(values))
    pairs = zip(added[ours.name], added[theirs.name], strict=True)
    ratio = statistics.median(mine / max(other, 1e-9) for mine, other in pairs)
    print(f"added_p50_ratio_to_nginx: {ratio:.2f}")


def _memory(made: world.World) -> None:
    """Of a fresh process: one that has been busy has memory to reuse."""
    room = [f"{name}={2 * HELD}" for name in ("held_per_model", "held_per_process", "connections")]
    with world.dormouse(made, *room) as target:
        measure.throughput(target, seconds=1)
        _say("idle_kib_per_connection", target.name, measure.idle_kib(target))
    with world.dormouse(made, *room) as target:
        measure.throughput(target, seconds=1)
        held = measure.held_kib(target, requests=HELD)
        _say(f"held_kib_per_request_of_{HELD}", target.name, held)


def _events(made: world.World, theirs: Target, ours: Target) -> None:
    direct, _ = measure.event_ms(made.slow_port)
    for target in (theirs, ours):
        first, each = measure.event_ms(target.port)
        _say("first_event_ms_after_direct", target.name, first - direct)
        _say("event_delay_ms", target.name, each)
    _say("abort_seen_upstream_ms", ours.name, measure.abort_ms(made, ours.port))


def _say(what: str, name: str, value: float) -> None:
    print(f"{what} {name}: {value:.3f}" if value < 10 else f"{what} {name}: {value:.0f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
