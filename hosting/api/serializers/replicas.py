"""Replicas and builds: how waking goes, and why it failed."""

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from hosting import queries
from hosting.api.serializers.hosted_models import HostedModelSerializer
from hosting.models import Build, HostedModel, Replica


class ReplicaSerializer(serializers.ModelSerializer[Replica]):
    """One container of a model, from the intention to start it until it was gone."""

    revision = serializers.IntegerField(source="revision.number", read_only=True)

    class Meta:
        model = Replica
        fields = [
            "id",
            "status",
            "revision",
            "runtime",
            "created_at",
            "started_at",
            "ready_at",
            "stopped_at",
            "exit_code",
            "out_of_memory",
            "last_log_lines",
        ]
        read_only_fields = fields


class BuildSerializer(serializers.ModelSerializer[Build]):
    """How far the building of a catalogue image is; the first model of an entry waits for it."""

    class Meta:
        model = Build
        fields = ["status", "step", "steps", "activity", "error", "started_at", "finished_at"]
        read_only_fields = fields


@extend_schema_serializer(component_name="HostedModelDetail")
class HostedModelDetailSerializer(HostedModelSerializer):
    """A hosted model and the build of its image."""

    build = serializers.SerializerMethodField()

    class Meta(HostedModelSerializer.Meta):
        fields = [*HostedModelSerializer.Meta.fields, "build"]
        read_only_fields = fields

    @extend_schema_field(BuildSerializer(allow_null=True))
    def get_build(self, model: HostedModel) -> object:
        """Show it for catalogue images only: other images are not built here."""
        build = queries.build_of(model.revision)
        return None if build is None else BuildSerializer(build).data
