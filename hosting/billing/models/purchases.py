"""Credits on their way: asked for, and paid or not."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Team


class PurchaseStatus(models.TextChoices):
    """How far a purchase is."""

    OPEN = "open", "Waiting for the payment"
    PAID = "paid", "Paid"
    FAILED = "failed", "Not paid"


class Purchase(models.Model):
    """Credits a team wants to buy. Paid once: then they are in its books."""

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="purchases")
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3)
    provider = models.CharField(max_length=20)
    reference = models.CharField(max_length=200)  # the provider's word for it
    pay_url = models.TextField(blank=True)  # where people pay
    status = models.CharField(
        max_length=8, choices=PurchaseStatus.choices, default=PurchaseStatus.OPEN
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    paid_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "reference"], name="purchase_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="purchase_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} by {self.provider}"
