"""Capacity: what a team's models hold, and what they wait for."""

import math
from typing import Any

from rest_framework import serializers

from hosting.lifecycle.placing import Amount


class AmountSerializer(serializers.Serializer[Amount]):
    """Memory in MiB, CPUs and GPUs; null: nothing limits it."""

    memory_mb = serializers.FloatField(allow_null=True)
    cpus = serializers.FloatField(allow_null=True)
    gpus = serializers.FloatField(allow_null=True)

    def to_representation(self, instance: Amount) -> dict[str, float | None]:
        """JSON has no word for infinity."""
        values = {name: getattr(instance, name) for name in ("memory_mb", "cpus", "gpus")}
        return {name: None if each == math.inf else each for name, each in values.items()}


class WaitingSerializer(serializers.Serializer[Any]):
    """A model that is called and can't be started yet."""

    subdomain = serializers.CharField()
    since = serializers.DateTimeField(source="state_changed_at")
    reason = serializers.CharField(source="wait_reason")


class CapacitySerializer(serializers.Serializer[Any]):
    """What the team's models hold at this moment, what they may hold, and who waits."""

    limit = AmountSerializer()
    held = AmountSerializer()
    waiting = WaitingSerializer(many=True)
