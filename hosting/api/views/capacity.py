"""What a team's models hold of the machines."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hosting.api.serializers.capacity import CapacitySerializer
from hosting.api.views.scope import TeamViewSet
from hosting.lifecycle.holdings import read_held, team_limit, waiting_models
from hosting.lifecycle.placing import Amount


class CapacityViewSet(TeamViewSet):
    """Held: by every replica that is not gone, drowsy ones included."""

    pagination_class = None
    filter_backends = []

    @extend_schema(
        operation_id="retrieve_capacity",
        summary="Memory, CPUs and GPUs of the team",
        responses=CapacitySerializer,
    )
    def team_total(self, request: Request) -> Response:
        """Show what is held, what may be held, and the models that wait for room."""
        data = {
            "limit": team_limit(self.team.pk),
            "held": read_held().by_team.get(self.team.pk, Amount()),
            "waiting": waiting_models().filter(team=self.team),
        }
        return Response(self.show(CapacitySerializer, data))
