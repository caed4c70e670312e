"""What replicas wrote, line by line."""

from dataclasses import fields
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from hosting.logs.reading import Filter
from hosting.models import LogLine
from hosting.models.log import LogStream

MOST_LINES = 1000


class LogLineSerializer(serializers.ModelSerializer[LogLine]):
    """One line, without colours, secrets masked. `note`: said by Dormouse, not by the model."""

    replica = serializers.IntegerField(source="replica_id", read_only=True)
    stream = serializers.ChoiceField(choices=LogStream.choices, read_only=True)

    class Meta:
        model = LogLine
        fields = ["id", "at", "replica", "stream", "text"]
        read_only_fields = fields


@extend_schema_serializer(component_name="LogTail")
class LogTailSerializer(serializers.Serializer[Any]):
    """The next lines, oldest first; send `after` with the next question."""

    after = serializers.IntegerField()
    lines = LogLineSerializer(many=True)


class LogFilterSerializer(serializers.Serializer[Any]):
    """Which lines."""

    replica = serializers.IntegerField(required=False, min_value=1, max_value=2**62)
    stream = serializers.ChoiceField(choices=LogStream.values, required=False)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    search = serializers.CharField(required=False, max_length=200)


class LogTailQuerySerializer(LogFilterSerializer):
    """Which lines, and after which one."""

    after = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=2**62,
        help_text="The `after` of the last answer. Without it: the newest lines.",
    )
    limit = serializers.IntegerField(default=200, min_value=1, max_value=MOST_LINES)


def chosen(data: dict[str, Any]) -> Filter:
    """The filter among what was sent."""
    return Filter(**{each.name: data[each.name] for each in fields(Filter) if each.name in data})
