"""The history of a model's state."""

from django.db import models

from hosting.models.hosted_model import HostedModel


class Transition(models.Model):
    """One move from one state to another, written in the same transaction as the move."""

    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="transitions")
    generation = models.PositiveBigIntegerField()
    from_state = models.CharField(max_length=10)
    to_state = models.CharField(max_length=10)
    event = models.CharField(max_length=20)
    cause = models.CharField(max_length=200, blank=True)  # who or what: "request", "ada@…", reason
    at = models.DateTimeField()

    model_id: int

    class Meta:
        ordering = ["-pk"]  # as they were written, whatever the clock was set to meanwhile
        constraints = [
            models.UniqueConstraint(
                fields=["model", "generation"], name="transition_once_per_generation"
            )
        ]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"
