"""What operators let teams hold at the same time."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.models import Team
from hosting.api.serializers.capacity import AmountSerializer
from hosting.lifecycle.capacity import LIMITS
from hosting.models import TeamLimit


class TeamLimitSerializer(serializers.ModelSerializer[TeamLimit]):
    """What is set for one team; null: the installation's default."""

    class Meta:
        model = TeamLimit
        fields = ["memory_mb", "cpus", "gpus"]
        read_only_fields = fields


class TeamSerializer(serializers.ModelSerializer[Team]):
    """A team, what its models hold, and what they may."""

    own = TeamLimitSerializer(help_text="What is set for this team alone; null: the default.")
    limit = AmountSerializer(help_text="What holds: its own, else the installation's default.")
    held = AmountSerializer()

    class Meta:
        model = Team
        fields = ["id", "name", "own", "limit", "held"]


def _range(name: str) -> dict[str, Any]:
    least, most = LIMITS[name]
    return {"min_value": least, "max_value": most, "allow_null": True, "default": None}


@extend_schema_serializer(component_name="NewTeamLimit")
class NewTeamLimitSerializer(serializers.Serializer[Any]):
    """All three at once; null or absent: the installation's default."""

    memory_mb = serializers.IntegerField(**_range("memory_mb"), help_text="MiB")
    cpus = serializers.FloatField(**_range("cpus"))
    gpus = serializers.IntegerField(**_range("gpus"))
