"""Who am I, what is my team called, and may I have this name?"""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import operations, queries
from hosting import subdomains
from hosting.api.serializers.account import (
    CallerSerializer,
    MembershipSerializer,
    TeamNameSerializer,
)
from hosting.api.serializers.hosted_models import AvailabilitySerializer, SubdomainQuerySerializer
from hosting.api.tenancy import OwnersWrite, TeamMember, membership_of
from hosting.api.views.scope import TeamViewSet


class AccountViewSet(TeamViewSet):
    """The caller, their team, and the names that are left."""

    permission_classes = [TeamMember, OwnersWrite]
    pagination_class = None
    filter_backends = []

    @extend_schema(operation_id="who_am_i", summary="Who am I?", responses=CallerSerializer)
    def me(self, request: Request) -> Response:
        """Show the person behind the key, the team it speaks for and the role in it."""
        data = {
            "email": self.caller.email,
            "name": self.caller.display_name,
            "team": membership_of(request),
            "teams": queries.memberships(self.caller),
        }
        return Response(self.show(CallerSerializer, data))

    @extend_schema(
        operation_id="rename_team",
        summary="Rename the team",
        request=TeamNameSerializer,
        responses=MembershipSerializer,
    )
    def rename_team(self, request: Request) -> Response:
        """Call the team something else. Its owners may."""
        operations.rename_team(self.team, **self.read(TeamNameSerializer))
        return Response(self.show(MembershipSerializer, membership_of(request)))

    @extend_schema(
        operation_id="check_subdomain",
        summary="Check a subdomain",
        parameters=[SubdomainQuerySerializer],
        responses=AvailabilitySerializer,
    )
    def check_subdomain(self, request: Request) -> Response:
        """Say whether the name can be had; if not, suggest three that can."""
        name = self.read(SubdomainQuerySerializer, request.query_params)["name"]
        found = subdomains.check(name, team=self.team)
        data = {
            "subdomain": name,
            "status": found.status,
            "message": found.message,
            "suggestions": []
            if found.status == "free"
            else subdomains.suggestions(name, team=self.team),
        }
        return Response(self.show(AvailabilitySerializer, data))
