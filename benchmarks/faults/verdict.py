"""What must be true of all requests, whatever went wrong meanwhile."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.faults.callers import CUT, HUNG, REFUSED, Asked
from benchmarks.faults.faults import TOO_LATE, Fault
from benchmarks.faults.subject import Subject
from hosting.models import Replica, UsageRecord

_SHIPPED_WITHIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Excuse:
    """Which failures a fault explains, and for how long after it."""

    kinds: tuple[str, ...]
    codes: tuple[str, ...]
    seconds: float
    starting: bool = False  # only if it hit a replica that did not answer yet


_ENDED = ("container kill", "container stop", "container remove", "holder")
_OF_ALL = ("holder", "kill", "freeze")  # whichever model a request was for
_CONTROL = ("kill worker-lifecycle", "freeze worker-lifecycle", "freeze valkey", "freeze postgres")
EXCUSES = (
    # A query inside a container that ends is not sent again; one that starts has failed to, and is
    # not tried again at once.
    Excuse(_ENDED, ("model_died", CUT), 0.5),
    Excuse(_ENDED, ("wake_failed",), 8.0, starting=True),
    Excuse(("kill router",), (CUT, REFUSED), 8.0),
    Excuse(_CONTROL, ("control_plane_unavailable",), 20.0),
    # News of it travels by Redis, or by the web process, which may be away.
    Excuse(("switch off", "delete"), ("not_found", "unauthorized"), 10.0),
)


def unexplained(all_asked: Sequence[Asked], faults: Sequence[Fault]) -> list[Asked]:
    """Those that failed, and nothing that happened around them says why."""
    happened = [each for each in faults if not each.kind.endswith(TOO_LATE)]
    pairs = [
        (excuse, fault)
        for fault in happened
        for excuse in EXCUSES
        if fault.kind.startswith(excuse.kinds) and (not excuse.starting or _hit_a_start(fault))
    ]
    return [
        asked
        for asked in all_asked
        if not asked.answered and not any(_explains(*each, asked) for each in pairs)
    ]


def around(asked: Asked, faults: Sequence[Fault]) -> list[Fault]:
    """What happened shortly before or during this request, and may have to do with it."""
    since = asked.asked_at - 10
    return [
        each
        for each in faults
        if _concerns(each, asked) and since <= each.ended and each.began <= asked.ended_at
    ]


def _concerns(fault: Fault, asked: Asked) -> bool:
    return fault.target == asked.subject or fault.kind.startswith(_OF_ALL)


def _explains(excuse: Excuse, fault: Fault, asked: Asked) -> bool:
    return (
        asked.code in excuse.codes
        and _concerns(fault, asked)
        and fault.began <= asked.ended_at
        and asked.asked_at <= fault.ended + excuse.seconds
    )


def _hit_a_start(fault: Fault) -> bool:
    """Whether the replica did not answer yet, or never did; of a holder nobody knows."""
    if not fault.replica:
        return True
    replica = Replica.objects.get(pk=int(fault.replica.rpartition("-r")[2]))
    return replica.ready_at is None or replica.ready_at.timestamp() > fault.began


@dataclass(frozen=True, slots=True)
class Broken:
    """Requests for which something that must be true isn't."""

    name: str
    found: list[Asked]


def of(
    all_asked: Sequence[Asked], faults: Sequence[Fault], *, runs: Mapping[str, int]
) -> Iterator[Broken]:
    """Everything that callers and containers can tell."""
    yield Broken("wrong_bodies", [each for each in all_asked if each.answered and not each.is_mine])
    yield Broken(
        "false_200", [each for each in all_asked if each.answered and not runs[each.marker]]
    )
    yield Broken(
        "run_twice", [each for each in all_asked if not each.safe and runs[each.marker] > 1]
    )
    yield Broken("hung", [each for each in all_asked if each.code == HUNG])
    failed = unexplained(all_asked, faults)
    yield Broken("failed_without_cause", [each for each in failed if each.code != HUNG])
    yield Broken("uncounted", _uncounted(all_asked))


def _uncounted(all_asked: Sequence[Asked]) -> list[Asked]:
    """Answers without exactly one usage event that says what the caller saw."""
    answered = [each for each in all_asked if each.answered]
    deadline = time.monotonic() + _SHIPPED_WITHIN_SECONDS
    while True:
        told = {
            str(row.id): row for row in UsageRecord.objects.filter(id__in=_ids(answered)).iterator()
        }
        left = [each for each in answered if not _is_told(each, told.get(each.request_id))]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(1)


def _ids(answered: Sequence[Asked]) -> list[str]:
    return [each.request_id for each in answered if each.request_id]


def _is_told(asked: Asked, row: UsageRecord | None) -> bool:
    return row is not None and row.counted and row.status == asked.status


def counted_unasked(all_asked: Sequence[Asked], subjects: Sequence[Subject]) -> int:
    """Units in the ledger beyond what callers were answered or may have been cut off from."""
    answered = {each.request_id for each in all_asked if each.answered}
    ids = set().union(*(each.ids for each in subjects))
    counted = UsageRecord.objects.filter(model_id__in=ids, counted=True).values_list(
        "id", flat=True
    )
    beyond = sum(str(each) not in answered for each in counted)
    return max(0, beyond - sum(not each.status for each in all_asked))


def outcomes(all_asked: Sequence[Asked]) -> Counter[str]:
    """How the requests ended, and why models did not start."""
    return Counter(
        f"{each.code}: {each.why}" if each.code == "wake_failed" else each.code or str(each.status)
        for each in all_asked
    )
