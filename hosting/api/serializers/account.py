"""Who is calling, and for which team."""

from typing import Any

from rest_framework import serializers

from accounts.models import Membership, Role, Team


class MembershipSerializer(serializers.ModelSerializer[Membership]):
    """A team and the caller's role in it."""

    id = serializers.IntegerField(source="team_id", read_only=True)
    name = serializers.CharField(source="team.name", read_only=True)
    role = serializers.ChoiceField(choices=Role.values, read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "name", "role"]


class TeamNameSerializer(serializers.ModelSerializer[Team]):
    """What a team is called."""

    class Meta:
        model = Team
        fields = ["name"]


class CallerSerializer(serializers.Serializer[Any]):
    """The person behind the key or the session."""

    email = serializers.EmailField()
    name = serializers.CharField(help_text="How the dashboard calls this person.")
    team = MembershipSerializer(help_text="The team this request speaks for.")
    teams = MembershipSerializer(many=True)
