"""Usage: requests and errors over time."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from hosting.api.serializers.choices import NamedChoiceField
from hosting.models import UnconfirmedRequest

BUCKETS = {"minute": 60, "hour": 3_600, "day": 86_400}
MOST_POINTS = 1_500
DEFAULT_WINDOW = timedelta(hours=24)


def _conceivable(value: datetime) -> None:
    # Near the ends of the calendar, adding a bucket overflows.
    if not 2000 <= value.year < 3000:
        raise serializers.ValidationError("Choose a year from 2000 to 2999.", code="year")


class WindowSerializer(serializers.Serializer[Any]):
    """From when to when; the last 24 hours unless said otherwise."""

    since = serializers.DateTimeField(
        required=False, validators=[_conceivable], help_text="24 hours before `until`."
    )
    until = serializers.DateTimeField(required=False, validators=[_conceivable], help_text="Now.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Fill in what was left out."""
        until = attrs.get("until") or timezone.now()
        since = attrs.get("since") or until - DEFAULT_WINDOW
        if since >= until:
            raise serializers.ValidationError({"since": "Choose a time before `until`."})
        return {**attrs, "since": since, "until": until}


class UnconfirmedSerializer(serializers.ModelSerializer[UnconfirmedRequest]):
    """A billed request whose router was killed before the end of its answer was surely out."""

    id = serializers.UUIDField(source="request_id")
    router = serializers.CharField(source="kill.source.router")
    found_at = serializers.DateTimeField(source="kill.found_at")
    cut_off_at_most = serializers.IntegerField(
        source="kill.connections", help_text="Connections that router had, of all teams."
    )

    class Meta:
        model = UnconfirmedRequest
        fields = [
            "id", "model_id", "token_id", "arrived_at", "status", "counted", "router", "found_at",
            "cut_off_at_most", "settled_at", "refunded",
        ]  # fmt: skip
        read_only_fields = fields


class SeriesWindowSerializer(WindowSerializer):
    """A window in equal steps."""

    bucket = NamedChoiceField(choices=list(BUCKETS), default="hour")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse more points than a page could show."""
        window = super().validate(attrs)
        seconds = (window["until"] - window["since"]).total_seconds()
        if seconds / BUCKETS[window["bucket"]] > MOST_POINTS:
            raise serializers.ValidationError(
                {"bucket": f"That is more than {MOST_POINTS:,} points. Take a wider bucket."}
            )
        return window


class PointSerializer(serializers.Serializer[Any]):
    """One step of the series; `at` is where it begins."""

    at = serializers.DateTimeField()
    requests = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]


class ModelUsageSerializer(serializers.Serializer[Any]):
    """What one model served in the window."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    bucket = serializers.ChoiceField(choices=list(BUCKETS))
    requests = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    series = PointSerializer(many=True)


class ModelTotalSerializer(serializers.Serializer[Any]):
    """One model's share."""

    subdomain = serializers.CharField()
    requests = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]


class TeamUsageSerializer(serializers.Serializer[Any]):
    """What the team's models served in the window, deleted ones aside."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    requests = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    models = ModelTotalSerializer(many=True)
