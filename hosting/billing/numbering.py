"""Numbers without gaps, and the digest of what stands under each.

Whoever writes an invoice holds the row of its year until the transaction ends: the next number is
given only once this one is on an invoice, and is given again when the transaction fails.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.db.models import F

from hosting.billing.models import Invoice, InvoiceLine, InvoiceSeries

_OF_LINE = (
    "position",
    "price_id",
    "item",
    "model_id",
    "subdomain",
    "description",
    "late",
    "quantity",
)


def lock_series(year: int) -> InvoiceSeries:
    """Hold the numbers of a year; callers are in a transaction."""
    InvoiceSeries.objects.get_or_create(year=year)
    return InvoiceSeries.objects.select_for_update().get(year=year)


def write(invoice: Invoice, series: InvoiceSeries, lines: list[InvoiceLine]) -> None:
    """Give the next number and write everything; the caller holds the series."""
    InvoiceSeries.objects.filter(pk=series.pk).update(last=F("last") + 1)
    series.refresh_from_db()
    invoice.number = f"DM-{series.year}-{series.last:04d}"
    invoice.digest = digest_of(invoice, lines)
    invoice.save(force_insert=True)
    InvoiceLine.objects.bulk_create(lines)


def digest_of(invoice: Invoice, lines: Iterable[InvoiceLine]) -> str:
    """The digest of all that an invoice says; it changes when any of it does."""
    said: dict[str, Any] = {
        "number": invoice.number,
        "kind": str(invoice.kind),
        "team": invoice.team_id,
        "corrects": invoice.corrects_id,
        "reason": invoice.reason,
        "period": [_moment(invoice.period_start), _moment(invoice.period_end)],
        "currency": invoice.currency,
        "tax": [invoice.tax_name, f"{invoice.tax_percent:.3f}", f"{invoice.tax:.2f}"],
        "subtotal": f"{invoice.subtotal:.2f}",
        "total": f"{invoice.total:.2f}",
        "from_credits": f"{invoice.from_credits:.2f}",
        "billed_to": invoice.billed_to,
        "issued_at": _moment(invoice.issued_at),
        "due_at": _moment(invoice.due_at),
        "seals": invoice.seals,
        "lines": [
            [getattr(line, name) for name in _OF_LINE] + [f"{line.amount:.2f}"] for line in lines
        ],
    }
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()
