"""Plans and their prices: data, valid from a moment on, never edited."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Team
from hosting.billing.rating import Item


class Plan(models.Model):
    """A named set of prices in one currency."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    currency = models.CharField(max_length=3, default="USD")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.name


class PlanPrice(models.Model):
    """What one kind of unit costs from `valid_from` on. The database refuses to change it."""

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="prices")
    item = models.CharField(max_length=20, choices=[(item.value, item.value) for item in Item])
    model_id = models.BigIntegerField(null=True)  # for this hosted model only
    valid_from = models.DateTimeField()
    per = models.PositiveIntegerField(default=1)  # units that `tiers` name the price of
    free_units = models.PositiveBigIntegerField(default=0)  # a month, for the whole team
    successes_only = models.BooleanField(default=False)  # 4xx and 5xx of the model cost nothing
    tiers = models.JSONField()  # [[1000, "0.02"], [null, "0.01"]]: up to, price
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    plan_id: int

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "item", "model_id", "valid_from"],
                name="plan_price_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(per__gte=1), name="plan_price_per_positive"),
            models.CheckConstraint(
                condition=Q(item__in=[item.value for item in Item]), name="plan_price_item_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item} of {self.plan_id} from {self.valid_from:%F}"


class Subscription(models.Model):
    """The plan a team is on from a moment on; the newest one that has begun counts."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="subscriptions")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    valid_from = models.DateTimeField()

    plan_id: int

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "valid_from"], name="subscription_once")
        ]

    def __str__(self) -> str:
        return f"{self.plan} from {self.valid_from:%F}"


class BillingProfile(models.Model):
    """Whom a team's invoices go to, how it pays, and what happens when its credits are used up."""

    team = models.OneToOneField(Team, on_delete=models.CASCADE, related_name="billing_profile")
    billed_to = models.TextField(blank=True)  # name and address, as on the invoice
    email = models.EmailField(blank=True)
    prepaid = models.BooleanField(default=False)  # usage is paid from credits
    stop_at_zero = models.BooleanField(default=False)  # prepaid: no credits, no requests
    tax_name = models.CharField(max_length=40, blank=True)
    tax_percent = models.DecimalField(max_digits=6, decimal_places=3, default=0)
    payment_days = models.PositiveSmallIntegerField(default=7)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(tax_percent__gte=0, tax_percent__lte=100), name="billing_tax_sensible"
            )
        ]

    def __str__(self) -> str:
        return f"billing of {self.team}"
