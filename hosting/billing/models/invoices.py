"""Invoices and credit notes. Once written, the database refuses to change or delete them."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from accounts.models import Team


class InvoiceKind(models.TextChoices):
    """A credit note takes back all or part of one invoice."""

    INVOICE = "invoice", "Invoice"
    CREDIT_NOTE = "credit_note", "Credit note"


class InvoiceSeries(models.Model):
    """The last number given in a year; its row is locked while an invoice is written."""

    year = models.PositiveSmallIntegerField(unique=True)
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.year}: {self.last}"


class Invoice(models.Model):
    """One invoice or credit note. Whether it is paid is what its payments say."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="invoices")
    kind = models.CharField(max_length=12, choices=InvoiceKind.choices)
    number = models.CharField(max_length=20, unique=True)
    corrects = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="credit_notes"
    )
    reason = models.CharField(max_length=200, blank=True)  # of a credit note
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    currency = models.CharField(max_length=3)
    subtotal = models.DecimalField(max_digits=14, decimal_places=2)
    tax_name = models.CharField(max_length=40, blank=True)
    tax_percent = models.DecimalField(max_digits=6, decimal_places=3, default=0)
    tax = models.DecimalField(max_digits=14, decimal_places=2)
    total = models.DecimalField(max_digits=14, decimal_places=2)
    from_credits = models.DecimalField(max_digits=14, decimal_places=2, default=Decimal(0))
    billed_to = models.TextField(blank=True)
    issued_at = models.DateTimeField()
    due_at = models.DateTimeField()
    seals = models.JSONField(default=dict)  # day -> the last digest of the team's chain that day
    digest = models.CharField(max_length=64)  # of everything above and the lines

    team_id: int
    corrects_id: int | None

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "period_start"],
                condition=Q(kind="invoice"),
                name="invoice_once_per_period",
            ),
            models.CheckConstraint(
                condition=Q(kind="invoice", corrects=None) | ~Q(kind="invoice") & ~Q(corrects=None),
                name="invoice_credit_note_corrects",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def due(self) -> Decimal:
        """What is to be paid beside the credits that were used."""
        return self.total - self.from_credits


class InvoiceLine(models.Model):
    """One model's use of one price in the period."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    price_id = models.BigIntegerField()  # of PlanPrice
    item = models.CharField(max_length=20)
    model_id = models.BigIntegerField()
    subdomain = models.CharField(max_length=40)  # as it was called then
    description = models.CharField(max_length=200)
    late = models.BooleanField(default=False)  # of an earlier month, counted after it was closed
    quantity = models.BigIntegerField()
    amount = models.DecimalField(max_digits=14, decimal_places=2)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_once")
        ]

    def __str__(self) -> str:
        return self.description


class Payment(models.Model):
    """Money received for an invoice. `reference` is the provider's: a repeat adds nothing."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    provider = models.CharField(max_length=20)
    reference = models.CharField(max_length=120)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "reference"], name="payment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} by {self.provider}"
