"""The ledger of requests, append-only, and the rollup derived from it."""

from django.db import models


class UsageRecord(models.Model):
    """One request as the router counted it (wire.UsageEvent). Never changed after insertion.

    Plain ids instead of foreign keys: the ledger outlives what it speaks of.
    """

    id = models.UUIDField(primary_key=True)  # UUIDv7 of the router: a repeat adds nothing
    model_id = models.BigIntegerField()
    team_id = models.BigIntegerField()
    revision_id = models.BigIntegerField()
    token_id = models.BigIntegerField()  # 0: public
    route = models.CharField(max_length=10)
    method = models.CharField(max_length=10)
    status = models.PositiveSmallIntegerField()
    outcome = models.CharField(max_length=20)
    counted = models.BooleanField()
    cold = models.BooleanField()
    arrived_at = models.DateTimeField()
    held_ms = models.PositiveIntegerField()
    model_ms = models.PositiveIntegerField()
    bytes_in = models.PositiveBigIntegerField()
    bytes_out = models.PositiveBigIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["model_id", "arrived_at"], name="usage_record_by_model"),
            models.Index(fields=["team_id", "arrived_at"], name="usage_record_by_team"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.status}"


class UsageMinute(models.Model):
    """What the ledger says of one model in one minute; rebuilt from it, never added to."""

    model_id = models.BigIntegerField()
    team_id = models.BigIntegerField()
    minute = models.DateTimeField()
    requests = models.PositiveIntegerField()  # counted ones: what the pages call requests
    errors = models.PositiveIntegerField()  # counted ones the model answered with 4xx or 5xx
    cold = models.PositiveIntegerField()
    model_ms = models.PositiveBigIntegerField()
    held_ms = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model_id", "minute"], name="usage_minute_once")
        ]
        indexes = [models.Index(fields=["team_id", "minute"], name="usage_minute_by_team")]

    def __str__(self) -> str:
        return f"{self.model_id} at {self.minute:%F %H:%M}"
