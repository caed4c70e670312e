"""The body of every refusal (RFC 9457), for the schema."""

from typing import Any

from rest_framework import serializers


class FieldProblemSerializer(serializers.Serializer[Any]):
    """What is wrong with one field."""

    code = serializers.CharField()
    detail = serializers.CharField()
    # A dotted path; null when it concerns the whole body.
    field = serializers.CharField(allow_null=True)


class ProblemSerializer(serializers.Serializer[Any]):
    """Why a request was refused, and what to do. `code` is stable, `detail` is for people."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    request_id = serializers.CharField()  # as in X-Request-Id: what to quote when asking about it
    errors = FieldProblemSerializer(many=True, required=False)  # type: ignore[assignment]
