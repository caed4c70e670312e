"""What keeps the ledger honest: its chains, its clock, where it came from, who checked it."""

from django.db import models
from django.utils import timezone


class ChainDay(models.Model):
    """The end of one team's chain of one day (UTC): how many records, and the last digest."""

    team_id = models.BigIntegerField()
    day = models.DateField()
    length = models.PositiveIntegerField(default=0)
    head = models.BinaryField(default=bytes)
    dropped_at = models.DateTimeField(null=True)  # its records were dropped with their partition

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team_id", "day"], name="chain_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.length} records of team {self.team_id} on {self.day}"


class LedgerClock(models.Model):
    """A single row: hours before `closed_until` take no more records. Writers hold it shared."""

    closed_until = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="ledger_clock_single"),
        ]

    def __str__(self) -> str:
        return f"closed until {self.closed_until:%F %H:%M}"


class ClosedHour(models.Model):
    """An hour that was closed with records in it, and what its rollup said then."""

    hour = models.DateTimeField(unique=True)
    closed_at = models.DateTimeField(default=timezone.now)
    requests = models.PositiveBigIntegerField()
    counted = models.PositiveBigIntegerField()
    checksum = models.CharField(max_length=64)  # of all rollup rows of the hour

    def __str__(self) -> str:
        return f"{self.hour:%F %H:%M}"


class DirtyHour(models.Model):
    """An hour of a model that has records its rollup doesn't know yet.

    `version` rises with every batch: a mark that rose while its hour was rebuilt stays.
    """

    model_id = models.BigIntegerField()
    hour = models.DateTimeField()
    version = models.PositiveBigIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hour", "model_id"], name="dirty_hour_once"),
        ]

    def __str__(self) -> str:
        return f"{self.model_id} at {self.hour:%F %H:%M}"


class SpoolSource(models.Model):
    """One router's directory in one host's spool, and how far the ledger has it."""

    spool_id = models.UUIDField()  # of the host's spool folder, from its file `spool-id`
    router = models.CharField(max_length=120)
    watermark = models.DateTimeField(null=True)  # what was written before is in the ledger
    retired_at = models.DateTimeField(null=True)  # will never write again: no hour waits for it
    # Processes up to this one have ended, and the ledger has all they wrote.
    ended_boot = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["spool_id", "router"], name="spool_source_once"),
        ]

    def __str__(self) -> str:
        return f"{self.router} of {self.spool_id}"


class RouterKill(models.Model):
    """A router process that ended without closing its spool."""

    source = models.ForeignKey(SpoolSource, on_delete=models.CASCADE, related_name="kills")
    boot = models.PositiveBigIntegerField()
    found_at = models.DateTimeField()
    connections = models.PositiveIntegerField()  # open just before: so many were cut off at most

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "boot"], name="router_kill_once"),
        ]

    def __str__(self) -> str:
        return f"process {self.boot} of {self.source.router}"


class UnconfirmedRequest(models.Model):
    """A request that was written down as answered just before its router was killed.

    Nobody knows whether its caller got all of the answer. It is billed until it is settled.
    """

    request_id = models.UUIDField(unique=True)
    kill = models.ForeignKey(RouterKill, on_delete=models.CASCADE, related_name="requests")
    team_id = models.BigIntegerField(db_index=True)
    model_id = models.BigIntegerField()
    token_id = models.BigIntegerField()
    arrived_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField()
    counted = models.BooleanField()
    settled_at = models.DateTimeField(null=True)
    refunded = models.DecimalField(max_digits=14, decimal_places=2, default=0)  # as credits

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return str(self.request_id)


class SpoolSegment(models.Model):
    """How many bytes of one segment are in the ledger; moves in the transaction that inserts."""

    source = models.ForeignKey(SpoolSource, on_delete=models.CASCADE, related_name="segments")
    name = models.CharField(max_length=40)
    offset = models.PositiveBigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)  # the router writes another one
    deleted_at = models.DateTimeField(null=True)  # shipped, and older than the retention

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "name"], name="spool_segment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} to {self.offset}"


class Reconciliation(models.Model):
    """One comparison of spool, ledger, rollups and invoices; the pages show the last one."""

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    since = models.DateField()
    until = models.DateField()  # the first day not looked at
    records = models.PositiveBigIntegerField()
    spool_lines = models.PositiveBigIntegerField()
    rollup_rows = models.PositiveBigIntegerField()
    invoices = models.PositiveBigIntegerField()
    findings = models.JSONField(default=list)  # [{"kind", "team_id", "what"}]

    class Meta:
        ordering = ["-finished_at"]

    def __str__(self) -> str:
        return f"{self.finished_at:%F %H:%M}: {len(self.findings)} findings"
