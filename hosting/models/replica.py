"""One running container of a revision. A replica is never restarted: a new wake is a new row."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from hosting.models.hosted_model import HostedModel
from hosting.models.revision import Revision
from hosting.runtimes.base import LOCAL

_NO_PROGRAM = 127  # what shells and engines exit with when they find no program to run


class ReplicaStatus(models.TextChoices):
    """Written before the engine is touched: what should be true of the container."""

    STARTING = "starting", "Starting"
    READY = "ready", "Ready"
    DRAINING = "draining", "Draining"  # no route names it; routers finish what they sent there
    STOPPING = "stopping", "Stopping"
    GONE = "gone", "Gone"


def name_of(replica_id: int) -> str:
    """What the container of this replica is called."""
    return f"{settings.INSTALLATION}-r{replica_id}"


class Replica(models.Model):
    """One replica, from the intention to start it until its container is gone."""

    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="replicas")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="replicas")
    status = models.CharField(
        max_length=10, choices=ReplicaStatus.choices, default=ReplicaStatus.STARTING
    )
    runtime = models.CharField(max_length=20)
    node = models.CharField(max_length=100, default=LOCAL)  # holds its resources until it is gone
    host = models.CharField(max_length=100, blank=True)
    port = models.PositiveIntegerField(null=True)
    # The steps of a wake, each once, for the waterfall.
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)  # the engine says it runs
    listening_at = models.DateTimeField(null=True)  # something took a connection
    ready_at = models.DateTimeField(null=True)  # the model answered
    # Since when, and from which generation of the route on, no new request goes there.
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_generation = models.PositiveBigIntegerField(null=True)
    stopped_at = models.DateTimeField(null=True)
    exit_code = models.IntegerField(null=True)
    out_of_memory = models.BooleanField(default=False)
    # It went with its node, by no fault of its own.
    node_lost = models.BooleanField(default=False, db_default=False)
    # Its node had no such image, nor got it.
    image_missing = models.BooleanField(default=False, db_default=False)
    last_log_lines = models.TextField(blank=True)  # kept when it ended otherwise than by our stop

    model_id: int
    revision_id: int

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=ReplicaStatus.values), name="replica_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status=ReplicaStatus.READY) | Q(port__isnull=False),
                name="replica_ready_has_address",
            ),
        ]
        indexes = [
            models.Index(
                fields=["model"],
                condition=~Q(status=ReplicaStatus.GONE),
                name="replica_not_gone",
            ),
            models.Index(
                fields=["revision", "created_at"],
                condition=Q(image_missing=True),
                name="replica_image_missing",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The container's name: from the row id, so that a repeated start finds it."""
        return name_of(self.pk)

    @property
    def obituary(self) -> str:
        """One sentence on how it ended by itself."""
        if self.node_lost:
            return "Its machine went away."
        if self.image_missing:
            return "Its machine has no such image."
        if self.out_of_memory and self.exit_code == 137:
            return f"Its container ran out of memory ({self.revision.memory_mb} MiB). Give it more."
        if self.exit_code is None:
            return "Its container is gone."
        if self.exit_code == _NO_PROGRAM:
            return (
                "Its container exited with code 127: a program was not found. Check its arguments."
            )
        return f"Its container exited with code {self.exit_code}. Its logs may say why."
