"""Invoices: made of closed hours only, numbered without gaps, never changed (see credit_notes).

Issuing is one transaction: the number, the invoice, its lines and the credits it used are written
together or not at all, so a number that was given belongs to an invoice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from accounts.models import Team
from hosting.billing import credits, numbering, plans, quantities, rating
from hosting.billing.models import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceSeries,
    Plan,
)
from hosting.billing.quantities import Units
from hosting.billing.rating import Item, Price
from hosting.errors import HostingError
from hosting.metering import closing
from hosting.metering.partitions import month_of, next_month
from hosting.models import ChainDay, HostedModel, UsageHour

_ZERO = Decimal("0.00")
_WORDS = {
    Item.REQUEST: "Requests to {model}",
    Item.PASS_THROUGH: "Requests to routes of {model}",
    Item.MODEL_MS: "Model time of {model}, in milliseconds",
    Item.AWAKE_MS: "Time awake of {model}, in milliseconds",
}


class PeriodOpen(HostingError):
    """An invoice was asked for before the last hour of its period was closed."""

    code = "period_open"
    status = 409


@dataclass(frozen=True, slots=True)
class Draft:
    """One line before it has a place on an invoice."""

    price_id: int
    model_id: int
    late: bool
    quantity: int
    amount: Decimal


def issue_due(*, now: datetime) -> list[Invoice]:
    """Issue every invoice whose month is closed. Repeating it issues nothing twice."""
    end = month_of(closing.closed_until())
    issued = []
    for team_id, start in _uninvoiced(before=end):
        invoice = issue(Team.objects.get(pk=team_id), month=start, now=now)
        if invoice is not None:
            issued.append(invoice)
    return issued


@transaction.atomic
def issue(team: Team, *, month: datetime, now: datetime) -> Invoice | None:
    """Issue a team's invoice of a month; None when there is one, or nothing to invoice."""
    start = month_of(month)
    end = next_month(start)
    if closing.closed_until() < end:
        raise PeriodOpen(f"{start:%B %Y} isn't over, or some of its usage is still on its way.")
    series = numbering.lock_series(now.year)  # also keeps two issuers of one month apart
    if Invoice.objects.filter(team=team, period_start=start, kind=InvoiceKind.INVOICE).exists():
        return None
    plan = plans.plan_of(team, at=start)
    prices = plans.prices_of(plan)
    drafts = lines(quantities.units(team.pk, start=start, end=end, prices=prices), prices)
    if not drafts:
        return None
    return _write(team, plan, prices, drafts, start=start, end=end, series=series, now=now)


def lines(found: Iterable[Units], prices: Iterable[Price]) -> list[Draft]:
    """Price units as an invoice does: what came in time first, then what came late."""
    by_id = {price.id: price for price in prices}
    every = list(found)
    whole = rating.charge(quantities.uses(every), by_id)
    late = quantities.uses(each for each in every if each.late)
    late_units = {(use.price_id, use.model_id): use.quantity for use in late}
    drafts = []
    for charge in whole:
        behind = late_units.get((charge.price_id, charge.model_id), 0)
        parts = [charge.quantity - behind, behind]
        amounts = rating.divide(charge.amount, parts)
        drafts += [
            Draft(charge.price_id, charge.model_id, is_late, quantity, amount)
            for is_late, quantity, amount in zip((False, True), parts, amounts, strict=True)
            if quantity
        ]
    return sorted(drafts, key=lambda draft: draft.late)


def _uninvoiced(*, before: datetime) -> list[tuple[int, datetime]]:
    """Teams and months with usage and without an invoice."""
    months = {
        (team_id, month_of(hour))
        for team_id, hour in UsageHour.objects.filter(hour__lt=before)
        .values_list("team_id", "hour")
        .distinct()
    }
    have = {
        (team_id, start.astimezone(UTC))
        for team_id, start in Invoice.objects.filter(kind=InvoiceKind.INVOICE).values_list(
            "team_id", "period_start"
        )
    }
    known = set(Team.objects.values_list("pk", flat=True))
    return sorted(
        ((team_id, month) for team_id, month in months - have if team_id in known),
        key=lambda each: (each[1], each[0]),
    )


def _write(
    team: Team,
    plan: Plan,
    prices: list[Price],
    drafts: list[Draft],
    *,
    start: datetime,
    end: datetime,
    series: InvoiceSeries,
    now: datetime,
) -> Invoice:
    profile = plans.profile_of(team)
    subtotal = sum((draft.amount for draft in drafts), _ZERO)
    tax = rating.tax(subtotal, rate_percent=profile.tax_percent)
    total = subtotal + tax
    invoice = Invoice(
        team=team,
        kind=InvoiceKind.INVOICE,
        period_start=start,
        period_end=end,
        currency=plan.currency,
        subtotal=subtotal,
        tax_name=profile.tax_name,
        tax_percent=profile.tax_percent,
        tax=tax,
        total=total,
        from_credits=credits.settle(team, month=start, cost=total, now=now)
        if profile.prepaid
        else credits.taken(team, month=start),
        billed_to=profile.billed_to or team.name,
        issued_at=now,
        due_at=now + timedelta(days=profile.payment_days),
        seals=_seals(team, start=start, end=end),
    )
    numbering.write(invoice, series, _rows(invoice, prices, drafts))
    return invoice


def _rows(invoice: Invoice, prices: list[Price], drafts: list[Draft]) -> list[InvoiceLine]:
    items = {price.id: price.item for price in prices}
    names = dict(
        HostedModel.objects.filter(pk__in={draft.model_id for draft in drafts}).values_list(
            "pk", "subdomain"
        )
    )
    rows = []
    for position, draft in enumerate(drafts, start=1):
        name = names.get(draft.model_id, f"model {draft.model_id}")
        words = _WORDS[items[draft.price_id]].format(model=name)
        rows.append(
            InvoiceLine(
                invoice=invoice,
                position=position,
                price_id=draft.price_id,
                item=items[draft.price_id].value,
                model_id=draft.model_id,
                subdomain=name,
                description=f"{words}, of earlier months" if draft.late else words,
                late=draft.late,
                quantity=draft.quantity,
                amount=draft.amount,
            )
        )
    return rows


def _seals(team: Team, *, start: datetime, end: datetime) -> dict[str, str]:
    days = ChainDay.objects.filter(team_id=team.pk, day__gte=start.date(), day__lt=end.date())
    return {f"{each.day:%F}": bytes(each.head).hex() for each in days.order_by("day")}
