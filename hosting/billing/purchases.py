"""Buying credits: ask a provider, wait for its word, then add them once."""

import logging
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from accounts.models import Team, User
from hosting.billing import budgets, credits, plans, providers
from hosting.billing.models import EntryKind, Purchase, PurchaseStatus
from hosting.billing.providers.base import Notice, NoticeRefused, Wanted
from hosting.errors import InvalidValue

logger = logging.getLogger(__name__)

LEAST, MOST = Decimal("5.00"), Decimal("10000.00")


def begin(team: Team, *, amount: Decimal, by: User, back_url: str, now: datetime) -> Purchase:
    """Prepare a payment; nothing is added until the provider says that it is paid.

    Raises InvalidValue, and PaymentUnavailable when the provider can't be reached.
    """
    if not LEAST <= amount <= MOST or amount != amount.quantize(Decimal("0.01")):
        raise InvalidValue(
            f"Choose an amount from {LEAST} to {MOST:,}, in whole cents.", field="amount"
        )
    provider = providers.chosen()
    purchase = Purchase(
        team=team,
        amount=amount,
        currency=plans.plan_of(team, at=now).currency,
        provider=provider.name,
        created_by=by,
        created_at=now,
    )
    begun = provider.begin(
        Wanted(
            key=str(purchase.key),
            amount=amount,
            currency=purchase.currency,
            words=f"Credits for {team.name}",
            email=plans.profile_of(team).email or by.email,
            back_url=back_url,
        )
    )
    purchase.reference, purchase.pay_url = begun.reference, begun.pay_url
    purchase.save()
    return purchase


def take(notice: Notice, *, provider: str, now: datetime) -> bool:
    """Take a provider's word; True when it added credits. Any number of times adds them once."""
    found = Purchase.objects.filter(provider=provider, reference=notice.reference)
    with transaction.atomic():
        purchase = found.select_for_update().first()
        if purchase is None:  # of something else that is paid by the same account
            logger.warning("a notice of %s names no purchase: %s", provider, notice.reference)
            return False
        if purchase.status == PurchaseStatus.PAID:
            return False
        if not notice.paid:
            found.update(status=PurchaseStatus.FAILED)
            return False
        if (notice.amount, notice.currency) != (purchase.amount, purchase.currency):
            raise NoticeRefused(
                f"{notice.amount} {notice.currency} were paid for {purchase.reference}, not"
                f" {purchase.amount} {purchase.currency}. Look into it, then confirm it by hand."
            )
        _complete(purchase, now=now)
    budgets.renew(purchase.team, now=now)
    return True


def confirm(reference: str, *, now: datetime) -> Purchase:
    """Say that a payment has come in, whoever took it; a second time changes nothing."""
    with transaction.atomic():
        purchase = Purchase.objects.select_for_update().filter(reference=reference).first()
        if purchase is None:
            raise InvalidValue(f"There is no purchase “{reference}”.", field="reference")
        if purchase.status != PurchaseStatus.PAID:
            _complete(purchase, now=now)
    budgets.renew(purchase.team, now=now)
    return purchase


def _complete(purchase: Purchase, *, now: datetime) -> None:
    credits.add(
        purchase.team,
        purchase.amount,
        kind=EntryKind.PURCHASE,
        key=f"{purchase.provider}:{purchase.reference}",
        now=now,
        memo=f"Payment {purchase.reference}"[:200],
    )
    Purchase.objects.filter(pk=purchase.pk).update(status=PurchaseStatus.PAID, paid_at=now)


def recent(team: Team, *, limit: int = 20) -> list[Purchase]:
    """The team's purchases, newest first."""
    return list(Purchase.objects.filter(team=team)[:limit])


def find(team: Team, key: str) -> Purchase | None:
    """One purchase of the team."""
    try:
        return Purchase.objects.filter(team=team, key=UUID(key)).first()
    except ValueError:
        return None
