"""Credit notes: the only way to correct an invoice."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from hosting.billing import credits, numbering, rating
from hosting.billing.models import CreditEntry, EntryKind, Invoice, InvoiceKind
from hosting.errors import InvalidValue

_ZERO = Decimal("0.00")


@transaction.atomic
def credit(
    invoice: Invoice, *, reason: str, now: datetime, amount: Decimal | None = None
) -> Invoice:
    """Take back all of an invoice, or `amount` of its total. What was paid becomes credits."""
    series = numbering.lock_series(now.year)
    left = invoice.total + sum((note.total for note in invoice.credit_notes.all()), _ZERO)
    amount = left if amount is None else amount
    if invoice.kind != InvoiceKind.INVOICE:
        raise InvalidValue("Only an invoice can be corrected.", field="invoice")
    if not rating.payable(amount) or amount > left:
        raise InvalidValue(
            f"Choose an amount up to {left} {invoice.currency}, in whole cents.", field="amount"
        )
    share = rating.divide(amount, [_cents(invoice.subtotal), _cents(invoice.tax)])
    note = Invoice(
        team_id=invoice.team_id,
        kind=InvoiceKind.CREDIT_NOTE,
        corrects=invoice,
        reason=reason,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        currency=invoice.currency,
        subtotal=-share[0],
        tax_name=invoice.tax_name,
        tax_percent=invoice.tax_percent,
        tax=-share[1],
        total=-amount,
        billed_to=invoice.billed_to,
        issued_at=now,
        due_at=now,
    )
    numbering.write(note, series, [])
    _give_back(invoice, note, now=now)
    return note


def open_amount(invoice: Invoice) -> Decimal:
    """What is still to be paid. What was paid too much is credits by now, and not counted here."""
    paid: Decimal = invoice.payments.aggregate(sum=Sum("amount"))["sum"] or _ZERO
    noted: Decimal = invoice.credit_notes.aggregate(sum=Sum("total"))["sum"] or _ZERO
    return invoice.due + noted - paid + _given_back(invoice)


def _give_back(invoice: Invoice, note: Invoice, *, now: datetime) -> None:
    """What was paid beyond what is due after a credit note becomes credits."""
    over = -open_amount(invoice)
    if over > 0:
        credits.add(
            invoice.team,
            over,
            kind=EntryKind.CORRECTION,
            key=f"note:{invoice.number}:{note.number}",
            now=now,
            memo=f"Credit note {note.number}",
        )


def _given_back(invoice: Invoice) -> Decimal:
    total = CreditEntry.objects.filter(
        team_id=invoice.team_id,
        key__startswith=f"note:{invoice.number}:",
        postings__account="team",
    ).aggregate(sum=Sum("postings__amount"))["sum"]
    return total or _ZERO


def _cents(amount: Decimal) -> int:
    return int(amount * 100)
