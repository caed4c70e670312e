"""What a model's code needs and nobody shall see: kept encrypted, handed to its replicas."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from hosting.models.hosted_model import HostedModel


class SecretKind(models.TextChoices):
    """How a replica gets it."""

    FILE = "file", "File"
    VARIABLE = "variable", "Variable"


class ModelSecret(models.Model):
    """One value of one name. Changing it makes a new row: replicas that run still have the old one,
    and what they write is masked with it."""

    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=8, choices=SecretKind.choices)
    sealed = models.TextField(editable=False)
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    replaced_at = models.DateTimeField(null=True, editable=False)

    model_id: int

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "name"],
                condition=Q(replaced_at=None),
                name="model_secret_name_unique",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=SecretKind.values), name="model_secret_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name
