"""One wake, from who asked for it to how it ended: the row behind the waterfall."""

from datetime import datetime

from django.db import models
from django.db.models import Q

from hosting.models.hosted_model import HostedModel
from hosting.models.replica import Replica
from hosting.models.revision import Revision
from hosting.models.token import EndpointToken


class WakeOutcome(models.TextChoices):
    """How a wake ended."""

    AWAKE = "awake", "Awake"
    FAILED = "failed", "Failed"
    GIVEN_UP = "given_up", "Given up"  # put to sleep, or switched off, while it woke up


class Wake(models.Model):
    """Written once, by the transaction that ends it.

    Moments that never came are null: a drowsy model's replica is resumed, not started, and a
    failed wake ends somewhere in between.
    """

    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="wakes")
    revision = models.ForeignKey(
        Revision, on_delete=models.CASCADE, null=True, related_name="wakes"
    )
    replica = models.ForeignKey(Replica, on_delete=models.SET_NULL, null=True, related_name="+")
    resumed = models.BooleanField(default=False)
    cause = models.CharField(max_length=200)  # "request", a person's address, "always on" ...
    # Not checked by the database: a wake never fails for what is written about it.
    token = models.ForeignKey(
        EndpointToken, on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False
    )
    route = models.CharField(max_length=10, blank=True)  # of the request: "query", "status" ...
    method = models.CharField(max_length=10, blank=True)
    address = models.CharField(max_length=45, blank=True)  # of the caller
    asked_at = models.DateTimeField()  # by the clock of the router that held the request
    taken_at = models.DateTimeField()  # a worker had it
    prepared_at = models.DateTimeField(null=True)  # its image was there
    started_at = models.DateTimeField(null=True)  # the engine said that it runs
    listening_at = models.DateTimeField(null=True)  # something took a connection
    ended_at = models.DateTimeField()  # the model answered, or nobody waited for it any more
    outcome = models.CharField(max_length=10, choices=WakeOutcome.choices)
    reason = models.TextField(blank=True)  # why it failed

    model_id: int
    revision_id: int | None
    token_id: int | None

    class Meta:
        ordering = ["-ended_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=WakeOutcome.values), name="wake_outcome_known"
            ),
        ]
        indexes = [
            models.Index(fields=["model", "-ended_at"], name="wake_by_model"),
            models.Index(fields=["revision", "-ended_at"], name="wake_by_revision"),
        ]

    def __str__(self) -> str:
        return f"{self.model} at {self.asked_at:%F %T}: {self.outcome}"

    @property
    def seconds(self) -> float:
        """How long it took from being asked for."""
        return (self.ended_at - self.asked_at).total_seconds()

    @property
    def moments(self) -> list[tuple[str, datetime]]:
        """What happened when, in order, by name; a moment that never came is left out."""
        named = [
            (name, getattr(self, f"{name}_at"))
            for name in ("asked", "taken", "prepared", "started", "listening", "ended")
        ]
        return [(name, at) for name, at in named if at is not None]
