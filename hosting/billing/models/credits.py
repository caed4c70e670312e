"""Prepaid credits: a double-entry ledger, the lots it is made of, and the balance in one row."""

from django.db import models
from django.db.models import Q

from accounts.models import Team


class EntryKind(models.TextChoices):
    """Why credits moved."""

    PURCHASE = "purchase", "Purchase"
    GRANT = "grant", "Grant"
    SPEND = "spend", "Usage"
    EXPIRY = "expiry", "Expiry"
    REFUND = "refund", "Refund"
    CORRECTION = "correction", "Credit note"


class CreditBalance(models.Model):
    """What a team can spend. Its row is locked by whoever moves credits of the team."""

    team = models.OneToOneField(Team, on_delete=models.PROTECT, related_name="credit_balance")
    amount = models.DecimalField(max_digits=14, decimal_places=2, default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="credit_balance_not_negative")
        ]

    def __str__(self) -> str:
        return str(self.amount)


class CreditEntry(models.Model):
    """One movement; its postings add up to zero. `key` makes a repeat add nothing."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="credit_entries")
    kind = models.CharField(max_length=12, choices=EntryKind.choices)
    key = models.CharField(max_length=160, unique=True)
    memo = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class CreditPosting(models.Model):
    """One side of an entry: the account `team` is the team's, the others are ours."""

    entry = models.ForeignKey(CreditEntry, on_delete=models.PROTECT, related_name="postings")
    account = models.CharField(max_length=12)  # "team", or the kind of the entry
    amount = models.DecimalField(max_digits=14, decimal_places=2)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entry", "account"], name="credit_posting_once"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} on {self.account}"


class CreditLot(models.Model):
    """What is left of one purchase or grant. The lot that ends first is spent first."""

    entry = models.OneToOneField(CreditEntry, on_delete=models.PROTECT, related_name="lot")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="credit_lots")
    remaining = models.DecimalField(max_digits=14, decimal_places=2)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(remaining__gte=0), name="credit_lot_not_negative")
        ]
        indexes = [
            models.Index(fields=["team"], condition=Q(remaining__gt=0), name="credit_lot_open")
        ]

    def __str__(self) -> str:
        return f"{self.remaining} left"


class CreditWarning(models.Model):
    """How much of a prepaid team's credits is used; told once, and anew after a top-up."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="credit_warnings")
    percent = models.PositiveSmallIntegerField()
    reached_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "percent"], name="credit_warning_once")
        ]

    def __str__(self) -> str:
        return f"{self.percent} %"
