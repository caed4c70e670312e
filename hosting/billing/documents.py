"""An invoice as JSON, CSV and PDF: always the same bytes for the same invoice."""

import csv
import io
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hosting.billing.models import Invoice, InvoiceKind, InvoiceLine
from hosting.billing.rating import Item

UNITS = {
    Item.REQUEST.value: "requests",
    Item.PASS_THROUGH.value: "requests",
    Item.MODEL_MS.value: "ms",
    Item.AWAKE_MS.value: "ms",
}


def as_json(invoice: Invoice) -> dict[str, Any]:
    """What the invoice says, as data; amounts are text so that no reader rounds them."""
    return {
        "number": invoice.number,
        "kind": invoice.kind,
        "corrects": invoice.corrects.number if invoice.corrects else None,
        "reason": invoice.reason,
        "team": invoice.team.name,
        "billed_to": invoice.billed_to,
        "period_start": invoice.period_start.isoformat(),
        "period_end": invoice.period_end.isoformat(),
        "issued_at": invoice.issued_at.isoformat(),
        "due_at": invoice.due_at.isoformat(),
        "currency": invoice.currency,
        "lines": [
            {
                "position": line.position,
                "description": line.description,
                "item": line.item,
                "model": line.subdomain,
                "model_id": line.model_id,
                "late": line.late,
                "quantity": line.quantity,
                "unit": UNITS[line.item],
                "amount": f"{line.amount:.2f}",
            }
            for line in invoice.lines.all()
        ],
        "subtotal": f"{invoice.subtotal:.2f}",
        "tax_name": invoice.tax_name,
        "tax_percent": f"{invoice.tax_percent:f}",
        "tax": f"{invoice.tax:.2f}",
        "total": f"{invoice.total:.2f}",
        "from_credits": f"{invoice.from_credits:.2f}",
        "due": f"{invoice.due:.2f}",
        "seals": invoice.seals,
        "digest": invoice.digest,
    }


def as_csv(invoice: Invoice) -> str:
    """One row per line, then tax; opens in any spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["invoice", "position", "description", "model", "quantity", "unit", "amount", "currency"]
    )
    for line in invoice.lines.all():
        writer.writerow(
            [
                invoice.number,
                line.position,
                line.description,
                line.subdomain,
                line.quantity,
                UNITS[line.item],
                f"{line.amount:.2f}",
                invoice.currency,
            ]
        )
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        writer.writerow(
            [invoice.number, "", _title(invoice), "", "", "", invoice.subtotal, invoice.currency]
        )
    if invoice.tax:
        writer.writerow(
            [invoice.number, "", _tax_words(invoice), "", "", "", invoice.tax, invoice.currency]
        )
    return out.getvalue()


def money(amount: Decimal, currency: str) -> str:
    """ "$1,234.50", or "1,234.50 EUR"."""
    sign = "-" if amount < 0 else ""
    return f"{sign}${abs(amount):,.2f}" if currency == "USD" else f"{amount:,.2f} {currency}"


def as_pdf(invoice: Invoice) -> bytes:
    """The invoice on paper. reportlab is loaded here only: nothing else needs its megabytes."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setTitle(f"{invoice.get_kind_display()} {invoice.number}")
    page = _Page(canvas, mm, top=A4[1])
    _head(page, invoice)
    _table(page, invoice, list(invoice.lines.all()))
    _foot(page, invoice)
    canvas.save()
    return out.getvalue()


@dataclass
class _Page:
    """A sheet that is written from top to bottom; a full one is followed by another."""

    canvas: Any  # reportlab has no types
    mm: float
    top: float
    y: float = 20

    def down(self, millimetres: float) -> None:
        """Go down; below the margin a new sheet begins."""
        self.y += millimetres
        if self.y > 270:
            self.canvas.showPage()
            self.y = 20

    def text(self, x: float, words: str, *, size: float = 9, bold: bool = False) -> None:
        """Write from x to the right."""
        self._font(size, bold=bold)
        self.canvas.drawString(x * self.mm, self.top - self.y * self.mm, _latin(words))

    def right(self, x: float, words: str, *, bold: bool = False) -> None:
        """Write up to x."""
        self._font(9, bold=bold)
        self.canvas.drawRightString(x * self.mm, self.top - self.y * self.mm, _latin(words))

    def rule(self) -> None:
        """Draw a line across, just below."""
        height = self.top - (self.y + 2) * self.mm
        self.canvas.setLineWidth(0.4)
        self.canvas.line(20 * self.mm, height, 190 * self.mm, height)

    def _font(self, size: float, *, bold: bool) -> None:
        self.canvas.setFont("Helvetica-Bold" if bold else "Helvetica", size)


def _head(page: _Page, invoice: Invoice) -> None:
    page.text(20, _title(invoice), size=18, bold=True)
    page.down(12)
    for words in invoice.billed_to.splitlines() or [invoice.team.name]:
        page.text(20, words[:90])
        page.down(5)
    page.down(4)
    month = f"{invoice.period_start:%B %Y}"
    for name, value in (
        ("Period", f"{month} (UTC)"),
        ("Issued", f"{invoice.issued_at:%d %B %Y}"),
        ("Due", f"{invoice.due_at:%d %B %Y}"),
        ("Reason", invoice.reason),
    ):
        if value:
            page.text(20, name)
            page.text(45, value[:100])
            page.down(5)
    page.down(6)


def _table(page: _Page, invoice: Invoice, lines: list[InvoiceLine]) -> None:
    if lines:
        page.text(20, "What", bold=True)
        page.right(150, "Quantity", bold=True)
        page.right(190, "Amount", bold=True)
        page.rule()
        page.down(7)
    for line in lines:
        page.text(20, line.description[:70])
        page.right(150, f"{line.quantity:,} {UNITS[line.item]}")
        page.right(190, money(line.amount, invoice.currency))
        page.down(6)
    page.rule()
    page.down(8)


def _foot(page: _Page, invoice: Invoice) -> None:
    rows = [("Subtotal", invoice.subtotal)]
    if invoice.tax or invoice.tax_name:
        rows.append((_tax_words(invoice), invoice.tax))
    rows.append(("Total", invoice.total))
    if invoice.from_credits:
        rows += [("Paid from credits", -invoice.from_credits), ("To pay", invoice.due)]
    for name, amount in rows:
        page.text(120, name, bold=name in ("Total", "To pay"))
        page.right(190, money(amount, invoice.currency), bold=name in ("Total", "To pay"))
        page.down(6)
    page.down(8)
    page.text(20, f"Digest {invoice.digest}", size=7)


def _title(invoice: Invoice) -> str:
    if invoice.corrects:
        return f"Credit note {invoice.number} for {invoice.corrects.number}"
    return f"Invoice {invoice.number}"


def _tax_words(invoice: Invoice) -> str:
    percent = f"{invoice.tax_percent:f}".rstrip("0").rstrip(".")
    return f"{invoice.tax_name or 'Tax'} {percent} %"


def _latin(words: str) -> str:
    """The PDF's own fonts know Latin letters; what they lack is shown as a question mark."""
    return words.encode("cp1252", "replace").decode("cp1252")
