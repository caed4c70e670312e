"""The catalogue of example models."""

from typing import Any

from rest_framework import serializers

from hosting.api.serializers.revisions import PROTOCOL_CHOICES, JsonObjectField
from hosting.catalogue import CatalogueEntry


class CatalogueEntrySerializer(serializers.Serializer[Any]):
    """A model that ships with Dormouse. Host it with the image `catalogue:<slug>`."""

    slug = serializers.CharField()
    image = serializers.SerializerMethodField()
    title = serializers.CharField()
    description = serializers.CharField()
    protocol = serializers.ChoiceField(choices=PROTOCOL_CHOICES)
    port = serializers.IntegerField(allow_null=True)
    command = serializers.CharField(help_text="What /v1/query calls unless a revision chooses.")
    commands = serializers.ListField(child=serializers.CharField())
    memory_mb = serializers.IntegerField(source="resources.memory_mb")
    cpus = serializers.FloatField(source="resources.cpus")
    options = serializers.ListField(
        child=JsonObjectField(), help_text="What a revision may set in `options`."
    )
    sample = JsonObjectField(help_text="A body to try POST /v1/query with.")

    def get_image(self, entry: CatalogueEntry) -> str:
        """Show what a revision's `image` must be."""
        return f"catalogue:{entry.slug}"
