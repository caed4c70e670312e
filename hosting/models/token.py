"""Endpoint tokens: each opens one model's /v1. Only the digest is stored."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from hosting.models.hosted_model import HostedModel


class EndpointToken(models.Model):
    """One token of one model; several are valid at once."""

    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="tokens")
    label = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    first_characters = models.CharField(max_length=8, editable=False)
    last_characters = models.CharField(max_length=4, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    rate_limit = models.CharField(max_length=20, blank=True)  # as hosting.rates spells it
    revoked_at = models.DateTimeField(null=True, editable=False)
    may_wake = models.BooleanField(default=True)  # off: it calls the model only while it is awake
    # Its budget is used up: it gets 402. Written by hosting.billing only.
    payment_required = models.BooleanField(default=False, editable=False)
    capped = models.BooleanField(default=False, editable=False)  # its budget stops it

    model_id: int

    def __str__(self) -> str:
        return f"{self.label} ({self.masked})"

    @property
    def masked(self) -> str:
        """What stays visible after the token was shown once."""
        return f"{self.first_characters}…{self.last_characters}"
