"""Teams as operators see them: what each holds of the machines, and what it may."""

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import queries
from accounts.models import Team
from hosting.api.pagination import Pages
from hosting.api.serializers.team_limits import NewTeamLimitSerializer, TeamSerializer
from hosting.api.tenancy import Operator, TeamMember, row_id
from hosting.api.views.scope import TeamViewSet
from hosting.lifecycle.capacity import set_team_limit
from hosting.lifecycle.holdings import rooms_of


class TeamLimitViewSet(TeamViewSet):
    """Nothing is stopped for a limit that is lower than what is held: the next wakes wait."""

    permission_classes = [TeamMember, Operator]
    serializer_class = TeamSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = Team.objects.none()
    tag = "installation"

    @extend_schema(operation_id="list_teams", summary="List teams and what they hold")
    def list(self, request: Request) -> Response:
        """List every team of this installation."""
        page = self.paginate_queryset(queries.teams()) or []
        return self.get_paginated_response(self.show(TeamSerializer, rooms_of(page), many=True))

    @extend_schema(operation_id="retrieve_team_limit", summary="What one team holds and may hold")
    def retrieve(self, request: Request, team_id: str) -> Response:
        """Show one of them."""
        return self._shown(self._find(team_id))

    @extend_schema(
        operation_id="set_team_limit", summary="Limit a team", request=NewTeamLimitSerializer
    )
    def update(self, request: Request, team_id: str) -> Response:
        """Say what the team's models may hold at the same time."""
        team = self._find(team_id)
        set_team_limit(team.pk, clear=True, **self.read(NewTeamLimitSerializer))
        return self._shown(self._find(team_id))

    @extend_schema(
        operation_id="remove_team_limit", summary="Take a team's limit away", responses={204: None}
    )
    def destroy(self, request: Request, team_id: str) -> Response:
        """Go back to the installation's default; that there was none is no error."""
        set_team_limit(self._find(team_id).pk, clear=True)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _shown(self, team: Team) -> Response:
        (room,) = rooms_of([team])
        return Response(self.show(TeamSerializer, room))

    def _find(self, team_id: str) -> Team:
        number = row_id(team_id)
        team = queries.teams().filter(pk=number).first() if number is not None else None
        if team is None:
            raise NotFound("There is no such team.")
        return team
