"""Endpoint tokens and API keys. A secret leaves once, in the answer that issues it."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.models import ApiKey
from hosting.models import EndpointToken
from hosting.rates import LONGEST

RATE_LIMIT = "Requests allowed, such as “10/second” or “600/minute”. Empty: no limit."
SHOWN_ONCE = "Shown this once. Keep it like a password."


def _in_the_future(value: datetime) -> None:
    if value <= timezone.now():
        raise serializers.ValidationError("Choose a time in the future.", code="past")


def _rate_limit() -> serializers.CharField:
    return serializers.CharField(
        max_length=LONGEST, allow_blank=True, required=False, help_text=RATE_LIMIT
    )


class EndpointTokenSerializer(serializers.ModelSerializer[EndpointToken]):
    """A token that opens one model's /v1; `masked` tells them apart."""

    masked = serializers.CharField(read_only=True)
    created_by = serializers.EmailField(source="created_by.email", allow_null=True, read_only=True)

    class Meta:
        model = EndpointToken
        fields = [
            "id",
            "label",
            "masked",
            "created_at",
            "created_by",
            "last_used_at",
            "expires_at",
            "rate_limit",
            "may_wake",
        ]
        read_only_fields = fields


@extend_schema_serializer(component_name="IssuedToken")
class IssuedTokenSerializer(EndpointTokenSerializer):
    """A new token with its secret."""

    secret = serializers.CharField(read_only=True, help_text=SHOWN_ONCE)

    class Meta(EndpointTokenSerializer.Meta):
        fields = [*EndpointTokenSerializer.Meta.fields, "secret"]
        read_only_fields = fields


@extend_schema_serializer(component_name="NewToken")
class NewTokenSerializer(serializers.Serializer[Any]):
    """A token to issue."""

    label = serializers.CharField(max_length=80)  # type: ignore[assignment]
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, validators=[_in_the_future]
    )
    rate_limit = _rate_limit()
    may_wake = serializers.BooleanField(
        default=True, help_text="False: served while the model is awake, and never wakes it."
    )


@extend_schema_serializer(component_name="TokenSettings")
class TokenSettingsSerializer(serializers.Serializer[Any]):
    """What can change of a token; leave out what stays."""

    label = serializers.CharField(max_length=80, required=False)  # type: ignore[assignment]
    rate_limit = _rate_limit()
    may_wake = serializers.BooleanField(required=False)


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key that acts for one person within the team."""

    masked = serializers.SerializerMethodField()
    user = serializers.EmailField(source="user.email", read_only=True)

    class Meta:
        model = ApiKey
        fields = ["id", "name", "masked", "user", "created_at", "last_used_at", "expires_at"]
        read_only_fields = fields

    def get_masked(self, key: ApiKey) -> str:
        """Show the ends of the secret."""
        return f"{key.first_characters}…{key.last_characters}"


@extend_schema_serializer(component_name="IssuedApiKey")
class IssuedApiKeySerializer(ApiKeySerializer):
    """A new key with its secret."""

    secret = serializers.CharField(read_only=True, help_text=SHOWN_ONCE)

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "secret"]
        read_only_fields = fields


@extend_schema_serializer(component_name="NewApiKey")
class NewApiKeySerializer(serializers.Serializer[Any]):
    """A key to issue."""

    name = serializers.CharField(max_length=80)
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, validators=[_in_the_future]
    )
