"""Caps without races: routers take units ahead, spend them without asking, and return the rest.

What the rollups say was spent, and what routers hold or have spent since, never pass the limit
together: one row per cap is locked by whoever grants, and the database refuses more. A router's
word on what it spent is only taken off once its spool up to that moment is in the ledger.

A router that is gone keeps what it held until that is proved: a later process speaks from its
place, or the shipper beside it found its lock free. Then all of it counts as spent: what was is in
the spool, the rest comes back. Silence proves nothing: what it admitted may still be under way.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from django.db import transaction
from django.db.models import F, Min, QuerySet

from hosting.billing.models import QuotaCap, QuotaLease
from hosting.models import SpoolSource
from hosting.wire import LeaseAnswer, LeaseStatement

_SHARE = 8  # a lease is an eighth of what is left, per router
_PRESENT = timedelta(seconds=30)  # a router that was heard of since then counts as one
_KEPT = timedelta(hours=1)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_EVERY_BOOT = 2**63 - 1


def allow(key: str, *, left: int, exact: bool, shipped: Mapping[int, int], now: datetime) -> None:
    """Say how much may still be spent under a cap, beside what `left` does not know of yet.

    `shipped`: what of each lease `left` knows of, by id: `shipped()` from before the rollups were
    made that `left` was read from. `exact`: what leases spend is what is billed.
    """
    with transaction.atomic():
        QuotaCap.objects.get_or_create(key=key, defaults={"cap": 0, "told_at": now})
        cap = QuotaCap.objects.select_for_update().get(key=key)
        used = cap.used
        unsure = 0
        for lease in cap.leases.all():
            known = min(shipped.get(lease.pk, 0), lease.granted - lease.returned)
            if known > lease.settled:
                used -= known - lease.settled
                lease.settled = known
                QuotaLease.objects.filter(pk=lease.pk).update(settled=known)
            unsure += max(0, lease.spent - lease.settled)
        QuotaCap.objects.filter(pk=cap.pk).update(
            cap=max(used, left),
            allowed=left,
            used=used,
            exact=exact,
            unsure=unsure,
            told_at=now,
        )


def shipped(*, now: datetime) -> dict[int, int]:
    """What routers spent and the ledger has by now, by the id of the lease."""
    _end_gone(now=now)
    unsettled = list(QuotaLease.objects.filter(granted__gt=F("returned") + F("settled")))
    watermarks = {name: _watermark(name) for name in {lease.router for lease in unsettled}}
    return {lease.pk: _in_ledger(lease, watermark=watermarks[lease.router]) for lease in unsettled}


def hear(
    statements: Iterable[LeaseStatement], *, router: str, boot: int, at: datetime, now: datetime
) -> list[LeaseAnswer]:
    """Take what one router process says, and answer each statement. `at`: when it said so."""
    # Whoever had this router's place before is dead: only one process can lock a spool.
    _end(QuotaLease.objects.filter(router=router, boot__lt=boot), marked_at=now, now=now)
    watermark = _watermark(router)
    return [
        _hear(each, router=router, boot=boot, at=at, now=now, watermark=watermark)
        for each in statements
    ]


@transaction.atomic
def _hear(
    said: LeaseStatement,
    *,
    router: str,
    boot: int,
    at: datetime,
    now: datetime,
    watermark: datetime,
) -> LeaseAnswer:
    cap = QuotaCap.objects.select_for_update().filter(key=said.cap).first()
    if cap is None:  # its budget was just removed: the route will say so
        return _answer(said, short="elsewhere", ended=said.closing)
    lease, _ = cap.leases.get_or_create(
        router=router,
        boot=boot,
        number=said.number,
        defaults={"heard_at": now, "marked_at": at, "spent_at": at},
    )
    if lease.ended_at is not None or said.sequence <= lease.sequence:
        return _answer(said, lease)
    before = lease.spent
    _take_word(lease, said, at=at, watermark=watermark)
    if lease.heard_at < cap.told_at:  # what was left then may have known of it
        cap.unsure += lease.spent - before
    lease.heard_at = now
    back = max(0, min(said.returned, lease.granted - lease.spent) - lease.returned)
    lease.returned += back
    units = _grant(cap, lease, free=cap.allowed - cap.used + back, wanted=said.wanted, now=now)
    lease.granted += units
    # One that has requests left although it closes was made to stop: they stay covered.
    if said.closing and not lease.unspent:
        lease.ended_at = now
    cap.used += units - back
    cap.cap = max(cap.used, cap.allowed)
    cap.save(update_fields=["cap", "used", "unsure"])
    lease.save()
    return _answer(said, lease, short="" if units else _shortage(cap, lease, wanted=said.wanted))


def _take_word(
    lease: QuotaLease, said: LeaseStatement, *, at: datetime, watermark: datetime
) -> None:
    lease.sequence = said.sequence
    lease.shipped = _in_ledger(lease, watermark=watermark)
    if lease.marked_at <= watermark:
        lease.marked, lease.marked_at = lease.spent, lease.spent_at
    if said.spent > lease.spent:
        lease.spent, lease.spent_at = said.spent, at


def _in_ledger(lease: QuotaLease, *, watermark: datetime) -> int:
    """How much of what it spent the ledger has, with everything until `watermark`."""
    if lease.spent_at <= watermark:
        return lease.spent
    return lease.marked if lease.marked_at <= watermark else lease.shipped


def _grant(cap: QuotaCap, lease: QuotaLease, *, free: int, wanted: int, now: datetime) -> int:
    """A share of what is left, in multiples of what is wanted; nothing when there is less."""
    if not wanted or free < wanted:
        return 0
    present = cap.leases.filter(ended_at=None, heard_at__gt=now - _PRESENT).exclude(pk=lease.pk)
    share = free // (_SHARE * (1 + present.values("router").distinct().count()))
    return max(wanted, share - share % wanted)


def _shortage(
    cap: QuotaCap, lease: QuotaLease, *, wanted: int
) -> Literal["", "elsewhere", "used_up"]:
    """Whether waiting may help: others may return units, and what was free may turn out so."""
    if not wanted:
        return ""
    others = cap.leases.filter(ended_at=None).exclude(pk=lease.pk)
    may_return = any(each.unspent for each in others)
    may_be_free = cap.used > 0 and (cap.unsure > 0 or not cap.exact)
    return "elsewhere" if may_return or may_be_free else "used_up"


def _answer(
    said: LeaseStatement,
    lease: QuotaLease | None = None,
    *,
    short: Literal["", "elsewhere", "used_up"] = "",
    ended: bool = False,
) -> LeaseAnswer:
    return LeaseAnswer(
        cap=said.cap,
        number=said.number,
        sequence=said.sequence,
        granted=lease.granted if lease else 0,
        short=short,
        ended=ended or (lease is not None and lease.ended_at is not None),
    )


def _watermark(router: str) -> datetime:
    """Until when the ledger has everything this router wrote."""
    sources = SpoolSource.objects.filter(router=router)
    going_on = sources.filter(retired_at=None)
    if sources.exists() and not going_on.exists():
        return datetime.max.replace(tzinfo=UTC)  # it will never write again
    return going_on.aggregate(slowest=Min("watermark"))["slowest"] or _NEVER


def _gone(router: str) -> int:
    """The last process of this router that is gone, with all it wrote in the ledger."""
    sources = list(SpoolSource.objects.filter(router=router))
    going_on = [each.ended_boot for each in sources if each.retired_at is None]
    return min(going_on, default=_EVERY_BOOT if sources else 0)


def _end_gone(*, now: datetime) -> None:
    unended = QuotaLease.objects.filter(ended_at=None)
    for router in unended.values_list("router", flat=True).distinct():
        gone = unended.filter(router=router, boot__lte=_gone(router))
        _end(gone, marked_at=_NEVER, now=now)  # nothing of it is still on its way
    over = QuotaLease.objects.filter(ended_at__lt=now - _KEPT)
    over.filter(granted=F("returned") + F("settled")).delete()


def _end(leases: QuerySet[QuotaLease], *, marked_at: datetime, now: datetime) -> None:
    """Take all they held for spent: what was is in the ledger once that has it until then."""
    everything = F("granted") - F("returned")
    for lease in leases.filter(ended_at=None):
        QuotaCap.objects.filter(pk=lease.cap_id).update(unsure=F("unsure") + lease.unspent)
    leases.filter(ended_at=None).update(
        spent=everything,
        spent_at=marked_at,
        marked=everything,
        marked_at=marked_at,
        ended_at=now,
    )
