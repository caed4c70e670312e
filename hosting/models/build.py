"""The building of a catalogue image, so that everyone can see how far it is."""

from django.db import models
from django.db.models import Q


class BuildStatus(models.TextChoices):
    """How far a build is."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    BUILT = "built", "Built"
    FAILED = "failed", "Failed"


class Build(models.Model):
    """One catalogue image of one fingerprint on one runtime: built once, shared by all models."""

    slug = models.CharField(max_length=60)
    fingerprint = models.CharField(max_length=64)
    runtime = models.CharField(max_length=20)
    status = models.CharField(
        max_length=10, choices=BuildStatus.choices, default=BuildStatus.WAITING
    )
    step = models.PositiveIntegerField(default=0)
    steps = models.PositiveIntegerField(default=0)
    activity = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True)
    # Renewed while it runs; a build whose lease ran out may be taken over.
    lease_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["slug", "fingerprint", "runtime"], name="build_once_per_fingerprint"
            ),
            models.CheckConstraint(
                condition=Q(status__in=BuildStatus.values), name="build_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slug} on {self.runtime}: {self.status}"
