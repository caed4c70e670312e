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
    """What may still be spent under one cap, in millionths of the currency.

    `used` is what routers hold or have spent and the rollups don't have yet. What they have is
    taken off `allowed`. Where routers hold more than that, because a budget was made smaller, `cap`
    is what they hold, and nothing is granted.
    """

    key = models.CharField(max_length=80, unique=True)  # "team:7", "credits:7", "model:12" …
    cap = models.PositiveBigIntegerField()
    allowed = models.PositiveBigIntegerField(default=0)
    used = models.PositiveBigIntegerField(default=0)
    exact = models.BooleanField(default=True)  # what is spent is what is billed, to the unit
    told_at = models.DateTimeField(default=timezone.now)  # when the rollups said `allowed`
    # Of `used`: what may be free once the rollups are asked again. They may have had it already, or
    # a router that is gone may not have spent it.
    unsure = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(used__lte=models.F("cap")), name="quota_cap_holds")
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.used} of {self.cap}"


class QuotaLease(models.Model):
    """What one router process may spend without asking. All numbers only grow.

    It is used: `granted` - `returned` - `settled`.
    """

    cap = models.ForeignKey(QuotaCap, on_delete=models.CASCADE, related_name="leases")
    router = models.CharField(max_length=120)  # the name of its spool, as in SpoolSource
    boot = models.PositiveBigIntegerField()  # which process in that place: a greater one is later
    number = models.PositiveIntegerField()
    sequence = models.PositiveBigIntegerField(default=0)  # of the last statement
    granted = models.PositiveBigIntegerField(default=0)
    returned = models.PositiveBigIntegerField(default=0)
    spent = models.PositiveBigIntegerField(default=0)  # by requests that are in the spool
    spent_at = models.DateTimeField(default=timezone.now)  # when the router first said so much
    # An earlier word, for a router that says more before the ledger has the last one.
    marked = models.PositiveBigIntegerField(default=0)
    marked_at = models.DateTimeField()
    shipped = models.PositiveBigIntegerField(default=0)  # of `spent`: the ledger has it
    settled = models.PositiveBigIntegerField(default=0)  # of `shipped`: taken off the cap
    heard_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cap", "router", "boot", "number"], name="quota_lease_once"
            ),
            models.CheckConstraint(
                condition=Q(granted__gte=models.F("returned") + models.F("settled")),
                name="quota_lease_within_grant",
            ),
        ]
        indexes = [
            models.Index(fields=["router"], condition=Q(ended_at=None), name="quota_lease_open")
        ]

    def __str__(self) -> str:
        return f"{self.granted} for {self.router}"

    @property
    def used(self) -> int:
        """What counts against the cap."""
        return self.granted - self.returned - self.settled

    @property
    def unspent(self) -> int:
        """What may come back."""
        return self.granted - self.returned - self.spent
