"""Who am I, and may I have this name?"""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import queries
from hosting import subdomains
from hosting.api.serializers.account import CallerSerializer
from hosting.api.serializers.hosted_models import AvailabilitySerializer, SubdomainQuerySerializer
from hosting.api.tenancy import membership_of
from hosting.api.views.scope import TeamViewSet


class AccountViewSet(TeamViewSet):
    """The caller, and the names that are left."""

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
