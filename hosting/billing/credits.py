"""Prepaid credits: buy, grant, spend, expire, refund. Two at once can't spend the same cent.

Every movement locks the team's balance row, writes one entry whose postings add up to zero, and
carries a key: the same key again moves nothing. What is left is kept per purchase or grant (lot),
and the lot that ends first is spent first.
"""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q, Sum

from accounts.models import Team
from hosting.billing import rating
from hosting.billing.models import (
    CreditBalance,
    CreditEntry,
    CreditLot,
    CreditPosting,
    EntryKind,
    Invoice,
    InvoiceKind,
)
from hosting.errors import InvalidValue

_ZERO = Decimal("0.00")


def balance(team: Team) -> Decimal:
    """What the team can spend now."""
    row = CreditBalance.objects.filter(team=team).first()
    return row.amount if row else _ZERO


def entries(team: Team, *, limit: int = 50) -> list[CreditEntry]:
    """The team's movements, newest first; `amount` is annotated from the team's side."""
    found = CreditEntry.objects.filter(team=team).annotate(
        amount=Sum("postings__amount", filter=Q(postings__account="team"))
    )
    return list(found[:limit])


@transaction.atomic
def add(
    team: Team,
    amount: Decimal,
    *,
    kind: EntryKind,
    key: str,
    now: datetime,
    memo: str = "",
    expires_at: datetime | None = None,
) -> bool:
    """Add credits (a purchase, a grant or a correction); False when this key did so already."""
    if not rating.payable(amount):
        raise InvalidValue("Choose an amount above zero, in whole cents.", field="amount")
    if expires_at is not None and expires_at <= now:
        raise InvalidValue(
            "Choose a day to come: these credits would expire at once.", field="expires_at"
        )
    _lock(team)
    entry = _enter(team, amount, kind=kind, key=key, now=now, memo=memo)
    if entry is None:
        return False
    CreditLot.objects.create(entry=entry, team=team, remaining=amount, expires_at=expires_at)
    return True


@transaction.atomic
def spend(team: Team, amount: Decimal, *, key: str, now: datetime, memo: str = "") -> Decimal:
    """Pay for usage from what there is; returns how much of `amount` that was."""
    _expire(team, now=now, held=_lock(team))
    if CreditEntry.objects.filter(key=key).exists():
        return _ZERO
    paid = min(amount, _lock(team))
    if paid <= 0:
        return _ZERO
    _take(_open_lots(team), paid)
    _enter(team, -paid, kind=EntryKind.SPEND, key=key, now=now, memo=memo)
    return paid


@transaction.atomic
def settle(team: Team, *, month: datetime, cost: Decimal, now: datetime) -> Decimal:
    """Take what a month's usage has come to and not taken yet, as far as credits go.

    Returns all that the month has taken. Any number of callers may settle at the same time: what
    was taken before is read while the balance is held. An invoiced month takes nothing any more:
    what its credits did not pay is on the invoice.
    """
    _expire(team, now=now, held=_lock(team))
    before = taken(team, month=month)
    if invoiced(team, month=month):
        return before
    paid = max(_ZERO, min(cost - before, _lock(team)))
    if paid > 0:
        _take(_open_lots(team), paid)
        key = f"{_usage_key(team, month)}{before + paid}"
        memo = f"Usage of {month:%B %Y}"
        _enter(team, -paid, kind=EntryKind.SPEND, key=key, now=now, memo=memo)
    return before + paid


def invoiced(team: Team, *, month: datetime) -> bool:
    """Whether a month has its invoice."""
    invoices = Invoice.objects.filter(team=team, kind=InvoiceKind.INVOICE)
    return invoices.filter(period_start=month).exists()


def taken(team: Team, *, month: datetime) -> Decimal:
    """What a month's usage has taken from credits so far."""
    total = CreditEntry.objects.filter(
        team=team,
        kind=EntryKind.SPEND,
        key__startswith=_usage_key(team, month),
        postings__account="team",
    ).aggregate(sum=Sum("postings__amount"))["sum"]
    return -(total or _ZERO)


def _usage_key(team: Team, month: datetime) -> str:
    return f"usage:{team.pk}:{month:%Y-%m}:"


@transaction.atomic
def refund(team: Team, *, purchase_key: str, now: datetime) -> Decimal:
    """Give back what is left of one purchase; returns how much. Repeating gives back nothing."""
    _lock(team)
    lot = CreditLot.objects.filter(
        team=team, entry__key=purchase_key, entry__kind=EntryKind.PURCHASE
    ).first()
    if lot is None:
        raise InvalidValue("Your team has no such purchase.", field="purchase")
    left = lot.remaining
    if left > 0:
        _take([lot], left)
        key = f"refund:{purchase_key}"
        _enter(team, -left, kind=EntryKind.REFUND, key=key, now=now, memo="Refund of a purchase")
    return left


def expire(*, now: datetime) -> int:
    """Let lots end whose time is over; returns how many teams lost credits."""
    teams = Team.objects.filter(
        credit_lots__remaining__gt=0, credit_lots__expires_at__lte=now
    ).distinct()
    for team in teams:
        with transaction.atomic():
            _expire(team, now=now, held=_lock(team))
    return len(teams)


def _lock(team: Team) -> Decimal:
    """Hold the team's balance until the transaction ends."""
    CreditBalance.objects.get_or_create(team=team)
    return CreditBalance.objects.select_for_update().get(team=team).amount


def _enter(
    team: Team, amount: Decimal, *, kind: EntryKind, key: str, now: datetime, memo: str
) -> CreditEntry | None:
    """Write one entry and move the balance; callers hold its lock. None: the key is taken."""
    entry, is_new = CreditEntry.objects.get_or_create(
        key=key, defaults={"team": team, "kind": kind, "memo": memo, "at": now}
    )
    if not is_new:
        return None
    CreditPosting.objects.bulk_create(
        [
            CreditPosting(entry=entry, account="team", amount=amount),
            CreditPosting(entry=entry, account=kind.value, amount=-amount),
        ]
    )
    CreditBalance.objects.filter(team=team).update(amount=F("amount") + amount)
    return entry


def _open_lots(team: Team) -> list[CreditLot]:
    return list(
        CreditLot.objects.filter(team=team, remaining__gt=0).order_by(
            F("expires_at").asc(nulls_last=True), "pk"
        )
    )


def _take(lots: list[CreditLot], amount: Decimal) -> None:
    for lot in lots:
        part = min(lot.remaining, amount)
        CreditLot.objects.filter(pk=lot.pk).update(remaining=F("remaining") - part)
        amount -= part
        if not amount:
            return
    raise RuntimeError("the lots hold less than the balance says")


def _expire(team: Team, *, now: datetime, held: Decimal) -> None:
    """Let a team's old lots end; the caller holds the balance."""
    for lot in _open_lots(team) if held else []:
        if lot.expires_at is not None and lot.expires_at <= now:
            left = lot.remaining
            _take([lot], left)
            key = f"expiry:{lot.pk}"
            _enter(team, -left, kind=EntryKind.EXPIRY, key=key, now=now, memo="Credits expired")
