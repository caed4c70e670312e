"""Golden requests, in and out."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from hosting.lifecycle.golden_requests import LONGEST_SECONDS, MOST_KEYS
from hosting.models import GoldenRequest


@extend_schema_field(OpenApiTypes.ANY)
class AnyJsonField(serializers.JSONField):
    """Any JSON value."""


class GoldenRequestSerializer(serializers.ModelSerializer[GoldenRequest]):
    """A kept sample that a new revision must answer before it takes traffic."""

    input = AnyJsonField(read_only=True)
    expected_keys = serializers.ListField(child=serializers.CharField(), read_only=True)
    expected_output = AnyJsonField(read_only=True)
    created_by = serializers.EmailField(source="created_by.email", allow_null=True, read_only=True)

    class Meta:
        model = GoldenRequest
        fields = [
            "id",
            "name",
            "input",
            "expected_status",
            "expected_keys",
            "expected_output",
            "timeout_seconds",
            "created_at",
            "created_by",
        ]
        read_only_fields = fields


@extend_schema_serializer(component_name="NewGoldenRequest")
class NewGoldenRequestSerializer(serializers.Serializer[Any]):
    """A sample to keep: the body of a query, and what is expected of the answer."""

    name = serializers.CharField(max_length=80)
    input = AnyJsonField(help_text="The body of the query.")
    expected_status = serializers.IntegerField(min_value=100, max_value=599, required=False)
    expected_keys = serializers.ListField(
        child=serializers.CharField(max_length=200),
        max_length=MOST_KEYS,
        required=False,
        help_text="Fields the answer must have.",
    )
    expected_output = AnyJsonField(
        required=False, allow_null=True, help_text="The whole answer; null: any."
    )
    timeout_seconds = serializers.IntegerField(
        min_value=1, max_value=LONGEST_SECONDS, required=False
    )
