"""`dormouse invoices`: issue, look, correct, note payments."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from django.utils import timezone

from cli.amounts import read_amount
from cli.printing import AsJson, fail, show, table
from cli.teams import find_team
from hosting.billing import credit_notes, documents, invoicing, payments
from hosting.billing.models import Invoice
from hosting.metering import closing, rollups

app = typer.Typer()
Amount = Annotated[str | None, typer.Option(help="All that is left, unless given.")]


@app.command("list")
def list_invoices(
    team: Annotated[str | None, typer.Option()] = None, as_json: AsJson = False
) -> None:
    """List invoices and credit notes, newest first."""
    found = Invoice.objects.select_related("team", "corrects")
    if team is not None:
        found = found.filter(team=find_team(team))
    now = timezone.now()
    rows = [
        {
            "number": each.number,
            "team": each.team.name,
            "period": f"{each.period_start:%Y-%m}",
            "total": f"{each.total:.2f}",
            "currency": each.currency,
            "status": payments.status_of(each, now=now),
        }
        for each in found
    ]
    headings = ("number", "team", "period", "total", "currency", "status")
    words = table([[row[name] for name in headings] for row in rows], headings=headings)
    show(rows, as_json=as_json, words=words)


@app.command("show")
def show_invoice(
    number: str,
    pdf: Annotated[Path | None, typer.Option(help="Write the PDF to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show one invoice; --pdf writes it down."""
    invoice = _find(number)
    if pdf is not None:
        pdf.write_bytes(documents.as_pdf(invoice))
    show(documents.as_json(invoice), as_json=as_json, words=documents.as_csv(invoice).rstrip())


@app.command()
def issue(
    team: Annotated[str | None, typer.Option(help="One team's, of --month.")] = None,
    month: Annotated[datetime | None, typer.Option(formats=["%Y-%m"])] = None,
    as_json: AsJson = False,
) -> None:
    """Issue what is due: every closed month without an invoice, or one team's month."""
    if (team is None) != (month is None):
        raise fail("Give --team and --month together, or neither to issue all that is due.")
    now = timezone.now()
    rollups.refresh()
    closing.close_hours(now=now)
    if team is not None and month is not None:
        one = invoicing.issue(find_team(team), month=month.replace(tzinfo=UTC), now=now)
        issued = [one] if one else []
    else:
        issued = invoicing.issue_due(now=now)
    numbers = [each.number for each in issued]
    show(numbers, as_json=as_json, words="\n".join(numbers) or "Nothing is due.")


@app.command()
def credit(number: str, reason: str, amount: Amount = None, as_json: AsJson = False) -> None:
    """Take back an invoice, or part of it, with a credit note."""
    wanted = None if amount is None else read_amount(amount)
    note = credit_notes.credit(_find(number), reason=reason, amount=wanted, now=timezone.now())
    show(documents.as_json(note), as_json=as_json, words=f"{note.number}: {note.total}")


@app.command()
def pay(number: str, amount: str, reference: str, as_json: AsJson = False) -> None:
    """Note money received. The same reference again adds nothing."""
    is_new = payments.receive(
        _find(number),
        read_amount(amount),
        provider="manual",
        reference=reference,
        now=timezone.now(),
    )
    words = "Noted." if is_new else "That reference was noted before. Nothing was added."
    show({"noted": is_new}, as_json=as_json, words=words)


def _find(number: str) -> Invoice:
    found = Invoice.objects.filter(number=number).first()
    if found is None:
        raise fail(f"There is no invoice {number}. List them with: invoices list")
    return found
