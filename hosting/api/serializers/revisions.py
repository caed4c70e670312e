"""Revisions: what a hosted model runs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from hosting.api.serializers.choices import NamedChoiceField
from hosting.lifecycle.specs import RevisionSpec, catalogue_spec
from hosting.lifecycle.validation import MOST_CPUS, MOST_GPUS, MOST_MEMORY_MB
from hosting.models import Decision, Revision
from hosting.models.decision import DecisionKind
from hosting.protocols import PROTOCOLS

PROTOCOL_CHOICES = [(name, name) for name in sorted(PROTOCOLS)]
HIDDEN = "…"


@extend_schema_field(OpenApiTypes.OBJECT)
class JsonObjectField(serializers.DictField):
    """Any JSON object."""


class RevisionSerializer(serializers.ModelSerializer[Revision]):
    """An immutable revision. Empty paths and a null port or concurrency: the protocol's default."""

    catalogue = serializers.CharField(
        source="catalogue_slug", allow_null=True, read_only=True, help_text="The catalogue entry."
    )
    protocol = serializers.ChoiceField(choices=PROTOCOL_CHOICES, read_only=True)
    options = JsonObjectField(read_only=True)
    environment = serializers.SerializerMethodField(
        help_text="Variables of your own. A viewer sees the names only."
    )
    arguments = serializers.ListField(child=serializers.CharField(), read_only=True)
    created_by = serializers.EmailField(source="created_by.email", allow_null=True, read_only=True)

    class Meta:
        model = Revision
        fields = [
            "number",
            "image",
            "catalogue",
            "protocol",
            "port",
            "health_path",
            "query_path",
            "info_path",
            "command",
            "options",
            "environment",
            "arguments",
            "memory_mb",
            "cpus",
            "gpus",
            "concurrency",
            "internet",
            "created_at",
            "created_by",
            "rejected_at",
            "rejected_reason",
            "wake_seconds",
            "slow_wake_seconds",
        ]
        read_only_fields = fields

    def get_environment(self, revision: Revision) -> dict[str, str]:
        """Keep what is usually a password from those who can't change it anyway."""
        if self.context["request"].membership.may_write:
            return dict(revision.environment)
        return dict.fromkeys(revision.environment, HIDDEN)


USES = ["current", "canary", "pinned", "rejected", "served", "new"]


@extend_schema_serializer(component_name="RevisionInUse")
class RevisionInUseSerializer(RevisionSerializer):
    """A revision and how it is in use: `share` is the percent of queries a canary takes."""

    use = serializers.ChoiceField(choices=USES, read_only=True)
    share = serializers.IntegerField(allow_null=True, read_only=True)
    pinned_endpoint = serializers.URLField(
        read_only=True, help_text="Reaches exactly this revision, and wakes it."
    )

    class Meta(RevisionSerializer.Meta):
        fields = [
            *RevisionSerializer.Meta.fields,
            "admitted_at",
            "use",
            "share",
            "pinned_endpoint",
        ]
        read_only_fields = fields


@extend_schema_serializer(component_name="Canary")
class CanarySerializer(serializers.Serializer[Any]):
    """The revision to try beside the current one, and how much of the queries it takes."""

    number = serializers.IntegerField(min_value=1)
    share = serializers.IntegerField(
        min_value=0, max_value=100, help_text="Percent of queries; 0: only those with the header."
    )


@extend_schema_serializer(component_name="Rollback")
class RollbackSerializer(serializers.Serializer[Any]):
    """The revision to go back to."""

    number = serializers.IntegerField(min_value=1)
    ask = serializers.BooleanField(
        default=True, help_text="Whether it must answer the golden requests first."
    )


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    """What was decided about a revision; `by` is null where the platform did it by itself."""

    revision = serializers.IntegerField(source="revision.number", read_only=True)
    kind = serializers.ChoiceField(choices=DecisionKind.choices, read_only=True)
    by = serializers.EmailField(source="by.email", allow_null=True, read_only=True)

    class Meta:
        model = Decision
        fields = ["at", "revision", "kind", "detail", "by"]
        read_only_fields = fields


@extend_schema_serializer(component_name="NewRevision")
class NewRevisionSerializer(serializers.Serializer[Any]):
    """What to run: an entry of the catalogue, or any image and the protocol it speaks."""

    image = serializers.CharField(
        max_length=400, help_text="“catalogue:<slug>” or an image reference."
    )
    protocol = NamedChoiceField(
        choices=PROTOCOL_CHOICES,
        required=False,
        help_text="What the container speaks. Needed for an image of your own.",
    )
    port = serializers.IntegerField(min_value=1, max_value=65_535, allow_null=True, required=False)
    health_path = serializers.CharField(max_length=200, allow_blank=True, required=False)
    query_path = serializers.CharField(max_length=200, allow_blank=True, required=False)
    info_path = serializers.CharField(max_length=200, allow_blank=True, required=False)
    command = serializers.CharField(max_length=100, allow_blank=True, required=False)
    options = JsonObjectField(required=False)
    environment = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False), required=False
    )
    arguments = serializers.ListField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        required=False,
        max_length=200,
    )
    memory_mb = serializers.IntegerField(min_value=16, max_value=MOST_MEMORY_MB, required=False)
    cpus = serializers.FloatField(min_value=0.01, max_value=MOST_CPUS, required=False)
    gpus = serializers.IntegerField(min_value=0, max_value=MOST_GPUS, required=False)
    concurrency = serializers.IntegerField(
        min_value=0, max_value=10_000, allow_null=True, required=False, help_text="0: no limit."
    )

    internet = serializers.BooleanField(
        required=False,
        help_text="Whether the model may reach the internet. Other models, this host and its "
        "network it never reaches.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Only a catalogue entry knows what it speaks."""
        if "protocol" not in attrs and _catalogue_slug(attrs["image"]) is None:
            raise serializers.ValidationError(
                {"protocol": f"Say what the image speaks: {' or '.join(sorted(PROTOCOLS))}."},
                code="required",
            )
        return attrs


@extend_schema_serializer(component_name="Deploy")
class DeploySerializer(NewRevisionSerializer):
    """What to run next, at once or as a canary first."""

    canary_share = serializers.IntegerField(
        min_value=0,
        max_value=100,
        allow_null=True,
        required=False,
        help_text="Try it with this percent of the queries; null: it becomes the current one.",
    )


def revision_spec(data: Mapping[str, Any]) -> RevisionSpec:
    """Turn validated data into what the operations take; an entry chooses what was left open."""
    slug = _catalogue_slug(data["image"])
    return RevisionSpec(**data) if slug is None else replace(catalogue_spec(slug), **data)


def _catalogue_slug(image: str) -> str | None:
    kind, _, slug = image.partition(":")
    return slug if kind == "catalogue" else None
