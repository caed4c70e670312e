"""What replicas wrote: their lines, and per replica how far it was read."""

from django.db import models
from django.db.models import Q

from hosting.models.hosted_model import HostedModel
from hosting.models.replica import Replica


class LogStream(models.TextChoices):
    """Where a line came from."""

    OUT = "stdout", "stdout"
    ERR = "stderr", "stderr"
    NOTE = "note", "Dormouse"  # ours: that lines were dropped, and how many


class ReplicaLog(models.Model):
    """How far one replica's output was read. Written with the lines, in one transaction.

    Times of the engine are nanoseconds since 1970; within a stream they only rise.
    """

    replica = models.OneToOneField(
        Replica, on_delete=models.CASCADE, primary_key=True, related_name="log"
    )
    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="replica_logs")
    stdout_read = models.BigIntegerField(default=0)
    stderr_read = models.BigIntegerField(default=0)
    kept_bytes = models.BigIntegerField(default=0)
    dropped_lines = models.BigIntegerField(default=0)  # written too fast to be kept

    model_id: int
    replica_id: int

    def __str__(self) -> str:
        return f"log of {self.replica_id}"

    @property
    def read_until(self) -> int:
        """The newest time of either stream."""
        return max(self.stdout_read, self.stderr_read)


class LogLine(models.Model):
    """One line. Of one model, ids rise in the order in which lines became visible."""

    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="+")
    replica = models.ForeignKey(Replica, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    stream = models.CharField(max_length=6, choices=LogStream.choices)
    text = models.TextField()

    model_id: int
    replica_id: int

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(stream__in=LogStream.values), name="log_line_stream_known"
            ),
        ]
        indexes = [
            models.Index(fields=["model", "id"], name="log_line_by_model"),
            models.Index(fields=["replica", "id"], name="log_line_by_replica"),
        ]

    def __str__(self) -> str:
        return self.text
