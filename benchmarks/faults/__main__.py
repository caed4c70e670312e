"""Hurt a running installation at random, and see that what was promised stays true.

SECONDS (180) of faults, MODELS (4) and CALLERS (12) of them, SEED (1): the same list of faults in
the same order. What each meets is up to the moment. Fails when an invariant is broken.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from benchmarks import stack

if TYPE_CHECKING:
    from benchmarks.faults.callers import Asked, Caller
    from benchmarks.faults.subject import Subject

_CLEARED_WITHIN_SECONDS = 90.0
_SHOWN = 10


def main() -> int:
    """Print one line per invariant; fails when one is broken."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # end the stack as well
    with stack.running(runtime="docker") as port:
        return Bench(port).run()


class Bench:
    """One round of faults."""

    def __init__(self, port: int) -> None:
        # Only now: these load Django, which the stack has just set up.
        from benchmarks.faults import callers, faults, subject, witness

        self.seed = _size("SEED", 1)
        self.witness = witness.Witness()
        self.subjects: list[Subject] = [subject.create(each) for each in range(_size("MODELS", 4))]
        count = len(self.subjects)
        self.callers: list[Caller] = [
            callers.Caller(
                number,
                self.subjects[number % count],
                safe=number // count % 2 == 0,
                port=port,
                seed=self.seed,
            )
            for number in range(max(_size("CALLERS", 12), count))
        ]
        self.planned = faults.plan(self.seed)
        self.faults = faults.Faults(self.subjects)

    def run(self) -> int:
        """Hurt, look, delete, look."""
        ends_at = time.time() + _size("SECONDS", 180)
        hurting = threading.Thread(
            target=self.faults.run, args=(self.planned,), kwargs={"until": ends_at}
        )
        hurting.start()
        recovered = asyncio.run(self._call(hurting, ends_at=ends_at))
        broken = self._judge() + self._report("unrecovered", recovered)
        broken += self._clear_away()
        print(f"load_average: {os.getloadavg()[0]:.1f}")
        return 1 if broken else 0

    async def _call(self, hurting: threading.Thread, *, ends_at: float) -> "list[Asked]":
        await asyncio.gather(*(each.call_until(ends_at) for each in self.callers))
        while hurting.is_alive():
            await asyncio.sleep(0.1)
        await asyncio.sleep(15)  # whatever was killed is there again, and has been heard of
        last = await asyncio.gather(*(each.query() for each in self.callers))
        return [each for each in last if not each.answered]

    @property
    def _asked(self) -> "list[Asked]":
        return [asked for each in self.callers for asked in each.asked]

    def _judge(self) -> int:
        from benchmarks.faults import verdict

        asked, happened = self._asked, self.faults.happened
        print(f"requests: {len(asked)}")
        for outcome, count in sorted(verdict.outcomes(asked).items()):
            print(f"  {outcome}: {count}")
        print(f"faults: {len(happened)}")
        for kind, count in sorted(Counter(each.kind for each in happened).items()):
            print(f"  {kind}: {count}")
        broken = 0
        for each in verdict.of(asked, happened, runs=self.witness.runs):
            broken += self._report(each.name, each.found)
        beyond = verdict.counted_unasked(asked, self.subjects)
        print(f"counted_unasked: {beyond}")
        return broken + beyond

    def _report(self, name: str, found: "list[Asked]") -> int:
        from benchmarks.faults import verdict

        print(f"{name}: {len(found)}")
        for asked in found[:_SHOWN]:
            print(f"  # {_told(asked)}, ran {self.witness.runs[asked.marker]} times")
            for fault in verdict.around(asked, self.faults.happened):
                began, ended = fault.began - asked.asked_at, fault.ended - asked.asked_at
                print(f"  #   {fault.kind} {fault.target} at {began:+.1f} s to {ended:+.1f} s")
        return len(found)

    def _clear_away(self) -> int:
        import docker
        from django.conf import settings

        from benchmarks.faults.faults import HOLDER
        from hosting.runtimes import box

        for each in self.subjects:
            each.delete()
        client = docker.APIClient()
        left = []
        deadline = time.monotonic() + _CLEARED_WITHIN_SECONDS
        while time.monotonic() < deadline:
            left = [
                row["Names"][0]
                for label in (box.INSTALLATION, HOLDER)
                for row in client.containers(
                    all=True, filters={"label": f"{label}={settings.INSTALLATION}"}
                )
            ]
            if not left:
                break
            time.sleep(1)
        print(f"leftover_containers: {len(left)}")
        for name in left:
            print(f"  # {name}")
        return len(left)


def _told(asked: "Asked") -> str:
    took = asked.ended_at - asked.asked_at
    at = time.strftime("%H:%M:%S", time.gmtime(asked.asked_at))
    said = f"{asked.status} {asked.code} {asked.why}".strip()
    return f"{at} {asked.subject} {asked.marker}: {said}, after {took:.1f} s"


def _size(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


if __name__ == "__main__":
    sys.exit(main())
