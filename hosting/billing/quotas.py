"""Caps without races: whoever may serve takes units ahead, and nobody takes more than there are.

A holder (a router, a batch) takes a lease, spends its units without asking, and gives back the
rest. One guarded UPDATE decides, so `used` can't pass the cap, whoever asks at the same moment. A
holder that died keeps its units in use until somebody can say, from the ledger, how many it spent.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F

from hosting.billing.models import QuotaCap, QuotaLease

LEASE = timedelta(seconds=30)
_SHARE = 8  # a lease is an eighth of what is left, per holder


def set_cap(key: str, *, cap: int) -> QuotaCap:
    """Set how many units may be used under this key; never below what is in use already."""
    row, _ = QuotaCap.objects.get_or_create(key=key, defaults={"cap": cap})
    QuotaCap.objects.filter(pk=row.pk, used__lte=cap).update(cap=cap)
    QuotaCap.objects.filter(pk=row.pk, used__gt=cap).update(cap=F("used"))
    row.refresh_from_db()
    return row


@transaction.atomic
def take(key: str, *, holder: str, holders: int, now: datetime) -> QuotaLease | None:
    """Take a share of what is left; None when nothing is."""
    with connection.cursor() as cursor:
        # The row is locked first, so the share is of what is left at this very moment.
        cursor.execute(
            "UPDATE billing_quotacap AS cap SET used = cap.used + share.units"
            " FROM (SELECT id, greatest(1, (cap - used) / %s) AS units FROM billing_quotacap"
            " WHERE key = %s AND used < cap FOR UPDATE) AS share"
            " WHERE cap.id = share.id RETURNING cap.id, share.units",
            [_SHARE * max(1, holders), key],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    return QuotaLease.objects.create(
        cap_id=row[0], holder=holder, units=row[1], taken_at=now, expires_at=now + LEASE
    )


def renew(lease: QuotaLease, *, now: datetime) -> bool:
    """Say that the holder lives; False when the lease has ended and must not be spent from."""
    return bool(
        QuotaLease.objects.filter(pk=lease.pk, ended_at=None, expires_at__gt=now).update(
            expires_at=now + LEASE
        )
    )


@transaction.atomic
def give_back(lease: QuotaLease, *, spent: int, now: datetime) -> bool:
    """End a lease: what was not spent is free again. Only the first call counts."""
    if not 0 <= spent <= lease.units:
        raise ValueError(f"{spent} of {lease.units} units can't have been spent")
    ended = QuotaLease.objects.filter(pk=lease.pk, ended_at=None).update(ended_at=now, spent=spent)
    if ended:
        QuotaCap.objects.filter(pk=lease.cap_id).update(used=F("used") - (lease.units - spent))
    return bool(ended)


def expire(*, now: datetime, spent_by: Callable[[QuotaLease], int | None]) -> int:
    """End the leases of dead holders; returns how many.

    `spent_by` says what the ledger has of a lease; None while it may not have everything yet.
    """
    ended = 0
    for lease in QuotaLease.objects.filter(ended_at=None, expires_at__lte=now):
        spent = spent_by(lease)
        if spent is not None:
            ended += give_back(lease, spent=min(spent, lease.units), now=now)
    return ended
