"""Hosted models, in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from hosting import wire
from hosting.api.serializers.choices import NamedChoiceField
from hosting.api.serializers.revisions import NewRevisionSerializer, RevisionSerializer
from hosting.api.serializers.tokens import RATE_LIMIT, IssuedTokenSerializer
from hosting.lifecycle.validation import MOST_BODY_MB, MOST_REPLICAS, TIMEOUT_LIMITS
from hosting.lifecycle.warm_windows import MOST_WINDOWS
from hosting.models import HostedModel, Transition
from hosting.rates import LONGEST as LONGEST_RATE
from hosting.states import Event, State
from hosting.subdomains import LONGEST, SHORTEST

STATE_CHOICES = [(each.value, each.value) for each in State]


def _seconds(name: str) -> serializers.IntegerField:
    least, most = TIMEOUT_LIMITS[name]
    return serializers.IntegerField(min_value=least, max_value=most, required=False)


class FailureSerializer(serializers.Serializer[Any]):
    """Why the last wake failed."""

    reason = serializers.CharField(source="failure_reason")
    retry_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="HostedModel")
class HostedModelSerializer(serializers.ModelSerializer[HostedModel]):
    """A hosted model: its address, its settings and what it is doing."""

    endpoint = serializers.URLField(read_only=True)
    state = serializers.ChoiceField(choices=STATE_CHOICES, read_only=True)
    failure = serializers.SerializerMethodField()
    revision = RevisionSerializer(read_only=True, allow_null=True)
    created_by = serializers.EmailField(source="created_by.email", allow_null=True, read_only=True)
    wake_routes = serializers.ListField(
        child=serializers.ChoiceField(choices=list(wire.ROUTES)), read_only=True
    )
    wake_methods = serializers.ListField(
        child=serializers.ChoiceField(choices=list(wire.METHODS)), read_only=True
    )
    warm_windows = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = HostedModel
        fields = [
            "id",
            "subdomain",
            "endpoint",
            "description",
            "active",
            "public",
            "state",
            "state_changed_at",
            "failure",
            "wait_reason",
            "idle_timeout_seconds",
            "deep_sleep_after_seconds",
            "min_replicas",
            "max_replicas",
            "auto_rollback",
            "wake_routes",
            "wake_methods",
            "wake_without_token",
            "warm_windows",
            "time_zone",
            "request_timeout_seconds",
            "startup_timeout_seconds",
            "rate_limit",
            "max_body_mb",
            "revision",
            "created_at",
            "created_by",
        ]
        read_only_fields = fields

    @extend_schema_field(FailureSerializer(allow_null=True))
    def get_failure(self, model: HostedModel) -> Any:
        """Say why, only while it matters."""
        return FailureSerializer(model).data if model.state == State.FAILED else None


@extend_schema_serializer(component_name="CreatedModel")
class CreatedModelSerializer(HostedModelSerializer):
    """The new model. A private one comes with its first token, whose secret is shown this once."""

    token = IssuedTokenSerializer(read_only=True, allow_null=True)

    class Meta(HostedModelSerializer.Meta):
        fields = [*HostedModelSerializer.Meta.fields, "token"]
        read_only_fields = fields


@extend_schema_serializer(component_name="NewModel")
class NewModelSerializer(serializers.Serializer[Any]):
    """A model to create. It is private unless you say otherwise, and answers at once."""

    subdomain = serializers.CharField(
        min_length=SHORTEST, max_length=LONGEST, help_text="Becomes its address, for good."
    )
    revision = NewRevisionSerializer()
    public = serializers.BooleanField(default=False, help_text="Anyone may call it, no token.")
    description = serializers.CharField(max_length=200, allow_blank=True, required=False)
    idle_timeout_seconds = _seconds("idle_timeout_seconds")


@extend_schema_serializer(component_name="ModelSettings")
class ModelSettingsSerializer(serializers.Serializer[Any]):
    """The settings that can change; leave out what stays."""

    active = serializers.BooleanField(required=False, help_text="Off: 404 for callers, no waking.")
    public = serializers.BooleanField(required=False)
    description = serializers.CharField(max_length=200, allow_blank=True, required=False)
    idle_timeout_seconds = _seconds("idle_timeout_seconds")
    deep_sleep_after_seconds = _seconds("deep_sleep_after_seconds")
    min_replicas = serializers.IntegerField(
        min_value=0, max_value=MOST_REPLICAS, required=False, help_text="Above 0: never sleeps."
    )
    max_replicas = serializers.IntegerField(min_value=1, max_value=MOST_REPLICAS, required=False)
    auto_rollback = serializers.BooleanField(
        required=False, help_text="Call off a new revision that fails more than the one before it."
    )
    wake_routes = serializers.ListField(
        child=NamedChoiceField(choices=list(wire.ROUTES)),
        required=False,
        max_length=len(wire.ROUTES),
        help_text="Requests on these may wake it; others are served while it is awake.",
    )
    wake_methods = serializers.ListField(
        child=NamedChoiceField(choices=list(wire.METHODS)),
        required=False,
        max_length=len(wire.METHODS),
    )
    wake_without_token = serializers.BooleanField(
        required=False, help_text="Of a public model: whether callers without a token may wake it."
    )
    warm_windows = serializers.ListField(
        child=serializers.CharField(max_length=200, allow_blank=True),
        required=False,
        max_length=MOST_WINDOWS,
        help_text="Kept awake in these hours, such as “Mon-Fri 08:00-18:00”.",
    )
    time_zone = serializers.CharField(
        max_length=64, required=False, help_text="Of the warm windows, such as “Europe/Berlin”."
    )
    request_timeout_seconds = _seconds("request_timeout_seconds")
    startup_timeout_seconds = _seconds("startup_timeout_seconds")
    max_body_mb = serializers.IntegerField(
        min_value=1, max_value=MOST_BODY_MB, required=False, help_text="MiB. Larger requests: 413."
    )
    rate_limit = serializers.CharField(
        max_length=LONGEST_RATE, allow_blank=True, required=False, help_text=RATE_LIMIT
    )


class TransitionSerializer(serializers.ModelSerializer[Transition]):
    """One move from one state to another."""

    from_state = serializers.ChoiceField(choices=STATE_CHOICES, read_only=True)
    to_state = serializers.ChoiceField(choices=STATE_CHOICES, read_only=True)
    event = serializers.ChoiceField(choices=[each.value for each in Event], read_only=True)

    class Meta:
        model = Transition
        fields = ["at", "from_state", "to_state", "event", "cause", "generation"]
        read_only_fields = fields


class AvailabilitySerializer(serializers.Serializer[Any]):
    """Whether a subdomain can be had, and names that can."""

    subdomain = serializers.CharField()
    status = serializers.ChoiceField(choices=["free", "taken", "reserved", "malformed"])
    message = serializers.CharField()
    suggestions = serializers.ListField(child=serializers.CharField())


class SubdomainQuerySerializer(serializers.Serializer[Any]):
    """The name to look up."""

    name = serializers.CharField(max_length=100)
