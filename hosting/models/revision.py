"""What runs: an image with everything needed to run it, never changed after it was made."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from hosting.models.hosted_model import HostedModel


class Revision(models.Model):
    """One immutable revision; a hosted model points at one of its revisions.

    Empty paths and a null port or concurrency mean the protocol's default.
    """

    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    image = models.CharField(max_length=400)  # "catalogue:<slug>" or an image reference
    protocol = models.CharField(max_length=20)
    port = models.PositiveIntegerField(null=True, blank=True)
    health_path = models.CharField(max_length=200, blank=True)
    query_path = models.CharField(max_length=200, blank=True)
    info_path = models.CharField(max_length=200, blank=True)
    command = models.CharField(max_length=100, blank=True)
    options = models.JSONField(default=dict, blank=True)
    environment = models.JSONField(default=dict, blank=True)
    arguments = models.JSONField(default=list, blank=True)
    memory_mb = models.PositiveIntegerField(default=512)
    cpus = models.FloatField(default=1.0)
    gpus = models.PositiveIntegerField(default=0)
    internet = models.BooleanField(default=False)  # else it reaches nothing but its callers
    concurrency = models.PositiveIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # When it got ready for the first time and had answered the golden requests.
    admitted_at = models.DateTimeField(null=True, editable=False)
    # Filled when it was called off: it did not get that far, or failed more than the one before.
    rejected_at = models.DateTimeField(null=True, editable=False)
    rejected_reason = models.TextField(blank=True, editable=False)
    # Learned from its last wakes: the median, and what nine in ten stay below.
    wake_seconds = models.FloatField(null=True, editable=False)
    slow_wake_seconds = models.FloatField(null=True, editable=False)

    # What it says of its command, as JSON text: from its manifest, then from the model itself.
    info = models.TextField(blank=True, editable=False)
    # Why the image said nothing.
    info_missing = models.TextField(blank=True, editable=False, default="", db_default="")
    info_heard = models.BooleanField(default=False, editable=False)

    model_id: int

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="revision_number_unique"),
            models.CheckConstraint(
                condition=models.Q(port=None) | models.Q(port__range=(1, 65535)),
                name="revision_port_valid",
            ),
            models.CheckConstraint(
                condition=models.Q(memory_mb__gte=16), name="revision_memory_positive"
            ),
            models.CheckConstraint(condition=models.Q(cpus__gt=0), name="revision_cpus_positive"),
        ]

    def __str__(self) -> str:
        return f"r{self.number}"

    @property
    def use(self) -> str:
        """How it is in use: "current", "canary", "pinned"; else "rejected", "served" or "new"."""
        if self.pk == self.model.revision_id:
            return "current"
        target = getattr(self, "target", None)
        if target is not None:
            return "pinned" if target.share is None else "canary"
        if self.rejected_at is not None:
            return "rejected"
        return "served" if self.admitted_at is not None else "new"

    @property
    def share(self) -> int | None:
        """The percent of queries it takes as a canary; None when it is none."""
        target = getattr(self, "target", None)
        return None if target is None else target.share

    @property
    def pinned_endpoint(self) -> str:
        """The URL that reaches exactly this revision."""
        return self.model.pinned_endpoint(self.number)

    @property
    def catalogue_slug(self) -> str | None:
        """The catalogue entry this revision runs; None for an image of the user's own."""
        kind, _, slug = self.image.partition(":")
        return slug if kind == "catalogue" else None
