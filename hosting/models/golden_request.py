"""Kept samples: what a new revision must answer before it takes traffic."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from hosting.models.hosted_model import HostedModel


class GoldenRequest(models.Model):
    """One input, and what is expected of the answer to it."""

    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="golden_requests")
    name = models.CharField(max_length=80)
    input = models.JSONField()  # the body of the query
    expected_status = models.PositiveSmallIntegerField(default=200)
    expected_keys = models.JSONField(default=list, blank=True)  # fields the answer must have
    expected_output = models.JSONField(null=True, blank=True)  # the whole answer; null: any
    timeout_seconds = models.PositiveSmallIntegerField(default=30)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["model", "name"], name="golden_request_name_unique"),
            models.CheckConstraint(
                condition=models.Q(timeout_seconds__range=(1, 120)),
                name="golden_request_timeout_bounded",
            ),
        ]

    def __str__(self) -> str:
        return self.name
