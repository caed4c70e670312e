"""Payments of invoices. Which provider brought them is an adapter's business."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from hosting.billing import credit_notes, rating
from hosting.billing.models import Invoice, InvoiceKind, Payment
from hosting.errors import InvalidValue


@transaction.atomic
def receive(
    invoice: Invoice, amount: Decimal, *, provider: str, reference: str, now: datetime
) -> bool:
    """Note money received; False when this reference was noted already."""
    if invoice.kind != InvoiceKind.INVOICE or not rating.payable(amount):
        raise InvalidValue(
            "Choose an invoice and an amount above zero, in whole cents.", field="amount"
        )
    _, is_new = Payment.objects.get_or_create(
        provider=provider,
        reference=reference,
        defaults={"invoice": invoice, "amount": amount, "received_at": now},
    )
    return is_new


def status_of(invoice: Invoice, *, now: datetime) -> str:
    """ "credit_note", "paid", "open" or "overdue"."""
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return "credit_note"
    if credit_notes.open_amount(invoice) <= 0:
        return "paid"
    return "overdue" if invoice.due_at < now else "open"
