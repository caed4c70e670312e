"""Which revisions are in use beside the current one."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from hosting.models.hosted_model import HostedModel
from hosting.models.revision import Revision


class Target(models.Model):
    """A revision in use beside the current one: as a canary, or by its pinned address alone."""

    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="targets")
    revision = models.OneToOneField(Revision, on_delete=models.CASCADE, related_name="target")
    # Percent of the model's queries, 0: those that ask for it by header. Null: it is no canary.
    share = models.PositiveSmallIntegerField(null=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # The last time somebody woke it by its address; of a canary, when it began.
    asked_at = models.DateTimeField(default=timezone.now)
    failure_reason = models.TextField(blank=True)
    retry_at = models.DateTimeField(null=True)

    model_id: int
    revision_id: int

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model"], condition=Q(share__isnull=False), name="target_one_canary"
            ),
            models.CheckConstraint(
                condition=Q(share=None) | Q(share__lte=100), name="target_share_percent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.revision} beside the current revision"
