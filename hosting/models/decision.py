"""Who decided which revision runs, and when."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from hosting.models.hosted_model import HostedModel
from hosting.models.revision import Revision


class DecisionKind(models.TextChoices):
    """What was decided about a revision."""

    DEPLOYED = "deployed", "Deployed"
    TRIED = "tried", "Tried as a canary"  # or its share was changed
    PROMOTED = "promoted", "Promoted"
    ABORTED = "aborted", "Aborted"
    ROLLED_BACK = "rolled_back", "Made current again"
    CALLED_OFF = "called_off", "Called off by itself"


class Decision(models.Model):
    """One decision, written in the transaction that carries it out."""

    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="decisions")
    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="decisions")
    kind = models.CharField(max_length=12, choices=DecisionKind.choices)
    detail = models.CharField(max_length=300, blank=True)  # "10 % of the queries", the reason ...
    # Null: the platform by itself, or somebody whose account is gone.
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=DecisionKind.values), name="decision_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.revision}: {self.get_kind_display()}"
