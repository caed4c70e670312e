"""The proof of a bill: spool, ledger, rollups and invoices say the same, or what differs is named.

An invoice is proved by making it again from the rollups, the rollups from the ledger, the ledger
by its chains and by the spools. `digest` and `seals` tie the invoice to the chains of its days.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.models import Team
from hosting.billing import invoicing, numbering, plans, quantities
from hosting.billing.models import Invoice, InvoiceKind, InvoiceSeries
from hosting.metering import spool_check, verify
from hosting.metering.verify import Finding, Tally
from hosting.models import ChainDay, Reconciliation, UsageRecord


def reconcile(*, since: date, until: date, spool: Path | None, now: datetime) -> Reconciliation:
    """Compare everything of the days [since, until) and all invoices; remember the outcome."""
    tally = Tally()
    lines, findings = spool_check.compare(spool) if spool and spool.is_dir() else (0, [])
    findings += verify.ledger(since=since, until=until, tally=tally)
    findings += verify.sums(since=since, until=until, tally=tally)
    findings += invoices()
    return Reconciliation.objects.create(
        started_at=now,
        finished_at=max(now, timezone.now()),
        since=since,
        until=until,
        records=tally.records,
        spool_lines=lines,
        rollup_rows=tally.rollup_rows,
        invoices=Invoice.objects.count(),
        findings=[asdict(finding) for finding in dict.fromkeys(findings)],
    )


def mark_of(team: Team) -> dict[str, Any] | None:
    """What the pages show: when the books were last compared, and what of the team's differed."""
    last = Reconciliation.objects.first()
    if last is None:
        return None
    concerns = [each for each in last.findings if each["team_id"] in (None, team.pk)]
    return {"at": last.finished_at, "agrees": not concerns, "findings": concerns}


def invoices() -> Iterator[Finding]:
    """Make every invoice again, and look for holes in the numbers."""
    for invoice in Invoice.objects.prefetch_related("lines").order_by("number"):
        for words in _wrong_with(invoice):
            yield Finding("invoice", f"{invoice.number}: {words}", invoice.team_id)
    for series in InvoiceSeries.objects.order_by("year"):
        wanted = {f"DM-{series.year}-{number:04d}" for number in range(1, series.last + 1)}
        have = set(Invoice.objects.filter(number__in=wanted).values_list("number", flat=True))
        for number in sorted(wanted - have):
            yield Finding("invoice", f"{number} is missing.")


def _wrong_with(invoice: Invoice) -> Iterator[str]:
    lines = list(invoice.lines.all())
    if numbering.digest_of(invoice, lines) != invoice.digest:
        yield "it was changed after it was issued."
    if invoice.subtotal + invoice.tax != invoice.total:
        yield "its total isn't its subtotal and tax."
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return
    if sum((line.amount for line in lines), Decimal(0)) != invoice.subtotal:
        yield "its lines don't add up to its subtotal."
    prices = plans.prices_beside(lines[0].price_id) if lines else []
    drafts = invoicing.lines(
        quantities.units(
            invoice.team_id, start=invoice.period_start, end=invoice.period_end, prices=prices
        ),
        prices,
    )
    made = sorted((d.price_id, d.model_id, d.late, d.quantity, d.amount) for d in drafts)
    told = sorted((x.price_id, x.model_id, x.late, x.quantity, x.amount) for x in lines)
    if made != told:
        yield "made again from the rollups, its lines are others."
    yield from _broken_seals(invoice)


def _broken_seals(invoice: Invoice) -> Iterator[str]:
    """The digest a day ended with when it was invoiced is still in that day's chain."""
    kept = ChainDay.objects.filter(team_id=invoice.team_id, dropped_at=None)
    days = {f"{day:%F}" for day in kept.values_list("day", flat=True)}
    for day, digest in invoice.seals.items():
        on_day = UsageRecord.objects.filter(
            team_id=invoice.team_id,
            arrived_at__date=date.fromisoformat(day),
            digest=bytes.fromhex(digest),
        )
        dropped = (
            day not in days and ChainDay.objects.filter(team_id=invoice.team_id, day=day).exists()
        )
        if digest and not dropped and not on_day.exists():
            yield f"the chain of {day} no longer has the record it was sealed with."
