"""Limits: budgets in money that are watched, and caps in units that can't be overspent."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Team
from hosting.models import EndpointToken, HostedModel


class Budget(models.Model):
    """What a team, one of its models or one of its tokens may cost in a calendar month (UTC)."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="budgets")
    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, null=True, related_name="+")
    token = models.ForeignKey(EndpointToken, on_delete=models.CASCADE, null=True, related_name="+")
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    stop = models.BooleanField(default=False)  # used up: 402 until the month ends or it is raised
    updated_at = models.DateTimeField(default=timezone.now)

    model_id: int | None
    token_id: int | None
    team_id: int

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "model", "token"], name="budget_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="budget_positive"),
            models.CheckConstraint(
                condition=Q(model=None) | Q(token=None), name="budget_of_one_thing"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} a month"


class BudgetWarning(models.Model):
    """A level of a budget that was reached in a month, told once."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="warnings")
    month = models.DateField()
    percent = models.PositiveSmallIntegerField()
    reached_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "month", "percent"], name="budget_warning_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.percent} %"


class QuotaCap(models.Model):
    """Units that may be used under one key, such as “team:7:2026-11”. `used` includes leases."""

    key = models.CharField(max_length=80, unique=True)
    cap = models.PositiveBigIntegerField()
    used = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(used__lte=models.F("cap")), name="quota_cap_holds")
        ]

    def __str__(self) -> str:
        return f"{self.used} of {self.cap}"


class QuotaLease(models.Model):
    """Units one holder may spend without asking. They count as used until they are returned."""

    cap = models.ForeignKey(QuotaCap, on_delete=models.CASCADE, related_name="leases")
    holder = models.CharField(max_length=120)
    units = models.PositiveBigIntegerField()
    taken_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    spent = models.PositiveBigIntegerField(null=True)  # once it has ended

    class Meta:
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(ended_at=None), name="quota_lease_open")
        ]

    def __str__(self) -> str:
        return f"{self.units} for {self.holder}"
