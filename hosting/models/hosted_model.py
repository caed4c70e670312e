"""What a user creates: a subdomain, its settings and its state."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import Team
from hosting import wire
from hosting.states import State

SUBDOMAIN_PATTERN = r"^[a-z](?:-?[a-z0-9])+$"


def every_route() -> list[str]:
    """Any route may wake a model unless its owner says otherwise."""
    return list(wire.ROUTES)


def every_method() -> list[str]:
    """And so may any method."""
    return list(wire.METHODS)


class HostedModel(models.Model):
    """One hosted model. Only `lifecycle.machine` writes `state` and what belongs to it.

    `generation` rises with every change the router must hear of: the greater route is newer.
    """

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="hosted_models")
    subdomain = models.CharField(max_length=40)
    description = models.CharField(max_length=200, blank=True)
    active = models.BooleanField(default=True)
    # Its team's credits or a budget ran out: callers get 402. Written by hosting.billing only.
    payment_required = models.BooleanField(default=False, editable=False)
    # It has a budget of its own that stops it. Written by hosting.billing only.
    capped = models.BooleanField(default=False, editable=False)
    public = models.BooleanField(default=False)
    revision = models.ForeignKey(
        "hosting.Revision", on_delete=models.PROTECT, null=True, related_name="+"
    )
    # What was current before, since when what is current serves, and the number of the newest one.
    previous_revision = models.ForeignKey(
        "hosting.Revision", on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    revision_changed_at = models.DateTimeField(null=True, editable=False)
    last_revision = models.PositiveIntegerField(default=0, editable=False)
    # Whether a new revision is called off when it fails more than the one before it.
    auto_rollback = models.BooleanField(default=True)
    idle_timeout_seconds = models.PositiveIntegerField(default=300)
    # How long it stays paused, its memory kept, before it is stopped; 0: stopped at once.
    deep_sleep_after_seconds = models.PositiveIntegerField(default=1800)
    min_replicas = models.PositiveIntegerField(default=0)  # above 0: it never sleeps
    max_replicas = models.PositiveIntegerField(default=1)
    # Which requests may wake it, by route and method; tokens have a switch of their own.
    wake_routes = ArrayField(models.CharField(max_length=10), default=every_route)
    wake_methods = ArrayField(models.CharField(max_length=10), default=every_method)
    wake_without_token = models.BooleanField(default=True)
    # Hours in which it is kept awake, as people write them (lifecycle.warm_windows).
    warm_windows = ArrayField(models.CharField(max_length=80), default=list)
    time_zone = models.CharField(max_length=64, default="UTC")
    request_timeout_seconds = models.PositiveIntegerField(default=600)
    startup_timeout_seconds = models.PositiveIntegerField(default=300)
    rate_limit = models.CharField(max_length=20, blank=True)  # as hosting.rates spells it
    max_body_mb = models.PositiveIntegerField(default=32)  # MiB of a request; beyond: 413
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    state = models.CharField(max_length=10, default=State.ASLEEP, editable=False)
    state_changed_at = models.DateTimeField(default=timezone.now, editable=False)
    generation = models.PositiveBigIntegerField(default=1, editable=False)
    failure_reason = models.TextField(blank=True, editable=False)
    failure_count = models.PositiveIntegerField(default=0, editable=False)
    retry_at = models.DateTimeField(null=True, editable=False)
    # Why an awakening model has no replica yet; empty unless it waits for room.
    wait_reason = models.CharField(max_length=300, blank=True, editable=False)
    # How many replicas its load asks for, and when it last asked for that many.
    desired_replicas = models.PositiveIntegerField(default=1, editable=False)
    needed_at = models.DateTimeField(null=True, editable=False)
    # Who asked for the wake under way, written by the move that began it (lifecycle.wakes).
    asked_by = models.JSONField(null=True, editable=False)
    # The reconciler at work. A lease that ran out may be taken over by anyone.
    lease_holder = models.CharField(max_length=64, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    created_by_id: int | None
    team_id: int
    revision_id: int | None
    previous_revision_id: int | None

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subdomain"],
                condition=Q(deleted_at=None),
                name="hosted_model_subdomain_unique",
            ),
            models.CheckConstraint(
                condition=Q(subdomain__regex=SUBDOMAIN_PATTERN),
                name="hosted_model_subdomain_well_formed",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in State]),
                name="hosted_model_state_known",
            ),
            models.CheckConstraint(
                condition=Q(idle_timeout_seconds__gte=1),
                name="hosted_model_idle_timeout_positive",
            ),
            models.CheckConstraint(
                condition=Q(max_replicas__gte=1) & Q(min_replicas__lte=F("max_replicas")),
                name="hosted_model_replicas_in_order",
            ),
        ]
        indexes = [
            models.Index(fields=["team", "deleted_at"], name="hosted_model_by_team"),
            models.Index(
                fields=["state"],
                condition=~Q(state=State.ASLEEP),
                name="hosted_model_not_asleep",
            ),
            models.Index(
                fields=["state"],
                condition=Q(min_replicas__gt=0) | ~Q(warm_windows=[]),
                name="hosted_model_kept_awake",
            ),
        ]

    def __str__(self) -> str:
        return self.subdomain

    @property
    def current_state(self) -> State:
        """The state, as a State."""
        return State(self.state)

    @property
    def wanted_replicas(self) -> int:
        """How many replicas of its current revision should run while it is awake."""
        return min(max(self.desired_replicas, self.min_replicas, 1), self.max_replicas)

    @property
    def endpoint(self) -> str:
        """The public URL: what people put into their code."""
        return self._endpoint(self.subdomain)

    def pinned_endpoint(self, number: int) -> str:
        """The URL that reaches exactly this revision. No subdomain has two hyphens in a row."""
        return self._endpoint(f"{self.subdomain}--r{number}")

    def _endpoint(self, name: str) -> str:
        host = f"{name}.{settings.BASE_DOMAIN}{settings.ENDPOINT_PORT_SUFFIX}"
        return f"{settings.PUBLIC_SCHEME}://{host}/v1"
