"""Who we are to image registries: a team's logins, and the installation's."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Team
from hosting import registries
from hosting.api.pagination import Pages
from hosting.api.serializers.registry_logins import (
    NewRegistryLoginSerializer,
    RegistryLoginSerializer,
)
from hosting.api.tenancy import Operator, OwnersWrite, TeamMember
from hosting.api.views.scope import TeamViewSet
from hosting.models import RegistryLogin


@extend_schema_view(
    list=extend_schema(operation_id="list_registry_logins", summary="List the team's logins"),
    update=extend_schema(operation_id="set_registry_login", summary="Set a login of the team"),
    destroy=extend_schema(
        operation_id="remove_registry_login", summary="Forget a login of the team"
    ),
)
class RegistryLoginViewSet(TeamViewSet):
    """The team's own, which go before the installation's. Its owners change them."""

    permission_classes = [TeamMember, OwnersWrite]
    serializer_class = RegistryLoginSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = RegistryLogin.objects.none()
    tag = "registries"

    @property
    def whose(self) -> Team | None:
        """The team they belong to; None: the installation."""
        return self.team

    def list(self, request: Request) -> Response:
        """List them, newest first. Passwords are never shown again."""
        page = self.paginate_queryset(registries.logins(self.whose))
        return self.get_paginated_response(self.show(RegistryLoginSerializer, page, many=True))

    @extend_schema(request=NewRegistryLoginSerializer, responses={200: RegistryLoginSerializer})
    def update(self, request: Request, host: str) -> Response:
        """Set who images of this host are pulled as, from the next start on."""
        given = self.read(NewRegistryLoginSerializer)
        login = registries.log_in(host, team=self.whose, now=timezone.now(), **given)
        return Response(self.show(RegistryLoginSerializer, login))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, host: str) -> Response:
        """Forget it; images that are on the nodes already need none."""
        if not registries.log_out(host, team=self.whose):
            raise NotFound("There is no login to this host.")
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(
    list=extend_schema(
        operation_id="list_installation_logins", summary="List the installation's logins"
    ),
    update=extend_schema(
        operation_id="set_installation_login", summary="Set a login of the installation"
    ),
    destroy=extend_schema(
        operation_id="remove_installation_login", summary="Forget a login of the installation"
    ),
)
class InstallationLoginViewSet(RegistryLoginViewSet):
    """What teams without a login of their own pull with. For operators."""

    permission_classes = [TeamMember, Operator]
    tag = "installation"

    @property
    def whose(self) -> Team | None:
        """Everybody's."""
        return None
