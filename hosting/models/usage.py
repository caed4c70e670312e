"""The ledger of requests, append-only, and the rollups derived from it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class UsageRecord(models.Model):
    """One request as the router counted it (wire.UsageEvent). The database refuses to change it.

    Plain ids instead of foreign keys: the ledger outlives what it speaks of. The table is
    partitioned by month on `id`, whose first bits are a time: so an id is unique for ever, not
    once per partition.
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
    source_id = models.IntegerField(default=0)  # the spool it came from; 0: written directly
    late_hour = models.DateTimeField(null=True)  # its own hour was closed: billed in this one
    # The chain of a team's day: `digest` covers this row and the digest of the one before.
    position = models.IntegerField()
    digest = models.BinaryField()

    class Meta:
        indexes = [
            models.Index(fields=["model_id", "arrived_at"], name="usage_record_by_model"),
            models.Index(fields=["team_id", "arrived_at"], name="usage_record_by_team"),
            models.Index(
                fields=["late_hour"],
                condition=models.Q(late_hour__isnull=False),
                name="usage_record_late",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.status}"


class UsageMinute(models.Model):
    """What the ledger says of one model in one minute: added to with each batch, in its
    transaction, so that pages are up to date; rebuilt and compared by `metering.rollups`.
    """

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


class UsageRollup(models.Model):
    """What the ledger says of one kind of request in one period; rebuilt from it, never added to.

    The last three columns are a histogram: at `counts[i]` requests the model took about
    `model_buckets[i]` and they were held about `held_buckets[i]` (metering.histogram).
    """

    team_id = models.BigIntegerField()
    model_id = models.BigIntegerField()
    revision_id = models.BigIntegerField()
    token_id = models.BigIntegerField()
    route = models.CharField(max_length=10)
    status = models.PositiveSmallIntegerField()
    outcome = models.CharField(max_length=20)
    late = models.BooleanField()  # arrived in an hour that was closed already
    requests = models.PositiveBigIntegerField()
    counted = models.PositiveBigIntegerField()  # units: what is billed
    cold = models.PositiveBigIntegerField()
    model_ms = models.PositiveBigIntegerField()
    counted_ms = models.PositiveBigIntegerField()  # model time of the units
    held_ms = models.PositiveBigIntegerField()
    cold_held_ms = models.PositiveBigIntegerField()
    bytes_in = models.PositiveBigIntegerField()
    bytes_out = models.PositiveBigIntegerField()
    model_buckets = ArrayField(models.SmallIntegerField())
    held_buckets = ArrayField(models.SmallIntegerField())
    counts = ArrayField(models.IntegerField())

    class Meta:
        abstract = True


class UsageHour(UsageRollup):
    """One hour of one kind of request. Invoices are made of these."""

    hour = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["model_id", "hour"],
                include=["status", "counted"],
                name="usage_hour_by_model",
            ),
            models.Index(fields=["team_id", "hour"], name="usage_hour_by_team"),
            models.Index(fields=["hour"], name="usage_hour_by_hour"),
        ]

    def __str__(self) -> str:
        return f"{self.model_id} in the hour of {self.hour:%F %H:%M}"


class UsageDay(UsageRollup):
    """One day (UTC) of one kind of request: for windows of months."""

    day = models.DateTimeField()  # midnight

    class Meta:
        indexes = [
            models.Index(fields=["model_id", "day"], name="usage_day_by_model"),
            models.Index(fields=["team_id", "day"], name="usage_day_by_team"),
        ]

    def __str__(self) -> str:
        return f"{self.model_id} on {self.day:%F}"
