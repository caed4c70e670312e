"""`make bench-router`: our router beside nginx, on the same machine at the same time.

Rounds are interleaved, so a busy neighbour slows both. CPU per request is the stable figure; read
it as ±15 %. nginx only routes by Host; ours checks tokens, keeps every limit and writes the spool.
"""

import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.router import measure, world
from benchmarks.router.world import Target

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS_EACH", "3"))


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-router-") as folder, ExitStack() as stack:
        made = stack.enter_context(world.world(Path(folder)))
        ours = stack.enter_context(world.dormouse(made))
        theirs = stack.enter_context(world.nginx(made))
        targets = (theirs, ours)
        _vary(targets)
        _blob(targets)
        _latency(made, targets)
        _say("idle_kb_per_connection", ours.name, measure.idle_kib(ours))
        for name, port in (
            ("direct", made.slow_port),
            (theirs.name, theirs.port),
            (ours.name, ours.port),
        ):
            _say("event_delay_ms", name, measure.first_event_ms(port))
        _say("abort_seen_upstream_ms", ours.name, measure.abort_ms(made, ours.port))


def _vary(targets: tuple[Target, Target]) -> None:
    rates: dict[str, list[float]] = {target.name: [] for target in targets}
    costs: dict[str, list[float]] = {target.name: [] for target in targets}
    for target in targets:
        measure.throughput(target, seconds=1)  # connections and memories warm up
    for _ in range(ROUNDS):
        for target in targets:
            rate, cost = measure.throughput(target, seconds=SECONDS)
            rates[target.name].append(rate)
            costs[target.name].append(cost)
    for target in targets:
        _say("requests_per_second", target.name, statistics.median(rates[target.name]))
        _say("cpu_us_per_request", target.name, statistics.median(costs[target.name]))
    per_core = {name: 1e6 / statistics.median(each) for name, each in costs.items()}
    print(f"ratio_to_nginx: {per_core['dormouse'] / per_core['nginx']:.2f}")
    print(f"cpu_ratio_to_nginx: {per_core['nginx'] / per_core['dormouse']:.2f}", flush=True)


def _blob(targets: tuple[Target, Target]) -> None:
    costs = {
        target.name: measure.throughput(
            target, seconds=SECONDS, path="/v1/blob", method="GET", connections=8
        )[1]
        for target in targets
    }
    for name, cost in costs.items():
        _say("cpu_us_per_mib_answer", name, cost)
    print(f"blob_cpu_ratio_to_nginx: {costs['dormouse'] / costs['nginx']:.2f}", flush=True)


def _latency(made: world.World, targets: tuple[Target, Target]) -> None:
    bare = measure.latency_ms(Target("direct", made.stub_port, 0))
    added = {target.name: measure.latency_ms(target) - bare for target in targets}
    for name, milliseconds in added.items():
        _say("added_p50_ms_at_500_per_second", name, milliseconds)
    print(f"added_p50_ratio_to_nginx: {added['dormouse'] / max(added['nginx'], 1e-9):.2f}")


def _say(what: str, name: str, value: float) -> None:
    print(f"{what} {name}: {value:.3f}" if value < 10 else f"{what} {name}: {value:.0f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
