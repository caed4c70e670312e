"""Wakes, how long they take, and what other idle timeouts would have come to."""

from typing import Any

from rest_framework import serializers

from hosting.metering.sleeping import LONGEST
from hosting.metering.wakes import PHASES
from hosting.models.wake import WakeOutcome

PARTS = [*PHASES, "let_in"]


class PhaseSerializer(serializers.Serializer[Any]):
    """One part of a wake, named for the moment that ends it."""

    name = serializers.ChoiceField(choices=PARTS)
    seconds = serializers.FloatField()


class WakeTokenSerializer(serializers.Serializer[Any]):
    """The token that woke it."""

    id = serializers.IntegerField(source="pk")
    label = serializers.CharField()  # type: ignore[assignment]
    masked = serializers.CharField()


class WakeSerializer(serializers.Serializer[Any]):
    """One wake: who asked for it, where its time went, how it ended."""

    id = serializers.IntegerField(source="wake.pk")
    outcome = serializers.ChoiceField(source="wake.outcome", choices=WakeOutcome.values)
    reason = serializers.CharField(source="wake.reason", help_text="Why it failed.")
    resumed = serializers.BooleanField(
        source="wake.resumed", help_text="It was drowsy: its container was resumed, not started."
    )
    revision = serializers.IntegerField(source="wake.revision.number", allow_null=True)
    cause = serializers.CharField(
        source="wake.cause", help_text="“request”, who pressed the button, or why it was due."
    )
    token = WakeTokenSerializer(source="wake.token", allow_null=True)
    route = serializers.CharField(source="wake.route")
    method = serializers.CharField(source="wake.method")
    address = serializers.CharField(source="wake.address", help_text="The caller's.")
    asked_at = serializers.DateTimeField(source="wake.asked_at")
    ended_at = serializers.DateTimeField(source="wake.ended_at")
    seconds = serializers.FloatField(source="wake.seconds")
    phases = PhaseSerializer(many=True)
    waited = serializers.IntegerField(source="waiting.requests", help_text="Requests that waited.")
    billed = serializers.IntegerField(
        source="waiting.counted", help_text="Those of them that are billed; waking costs nothing."
    )


class UsualPhaseSerializer(serializers.Serializer[Any]):
    """How long a part usually takes."""

    name = serializers.ChoiceField(choices=list(PHASES))
    median_seconds = serializers.FloatField(source="median")
    slow_seconds = serializers.FloatField(source="slow", help_text="Nine in ten are faster.")


class WakeTimesSerializer(serializers.Serializer[Any]):
    """What to expect of the next wake, and how the last ones went."""

    usual_seconds = serializers.FloatField(
        allow_null=True, help_text="The median of the current revision's last 20 starts."
    )
    slow_seconds = serializers.FloatField(allow_null=True, help_text="Nine in ten are faster.")
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    woken = serializers.IntegerField()
    resumed = serializers.IntegerField()
    failed = serializers.IntegerField()
    phases = UsualPhaseSerializer(many=True)


class SimulationQuerySerializer(serializers.Serializer[Any]):
    """How far to look back."""

    days = serializers.IntegerField(min_value=1, max_value=LONGEST.days, default=LONGEST.days)


class SimulatedSerializer(serializers.Serializer[Any]):
    """What one idle timeout would have come to."""

    idle_timeout_seconds = serializers.IntegerField(allow_null=True, help_text="Null: never.")
    awake_seconds = serializers.FloatField()
    cold_starts = serializers.IntegerField()
    resumes = serializers.IntegerField(help_text="From drowsy.")
    waited = serializers.IntegerField(help_text="Callers who met it asleep or waking.")
    wait_seconds = serializers.FloatField(help_text="All of them together.")


class SimulationSerializer(serializers.Serializer[Any]):
    """The model's own calls, replayed."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    calls = serializers.IntegerField()
    by_minute = serializers.BooleanField(help_text="Many calls: replayed by the minute.")
    cold_seconds = serializers.FloatField(source="comeback.cold_seconds")
    resume_seconds = serializers.FloatField(source="comeback.resume_seconds")
    measured = serializers.BooleanField(help_text="False: how long a start takes is assumed.")
    chosen = SimulatedSerializer(help_text="With the timeout it has now.")
    outcomes = SimulatedSerializer(many=True)
