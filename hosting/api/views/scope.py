"""What every view of a team's things shares: whose they are, and how one is found."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from accounts.models import Team, User
from hosting import queries
from hosting.api.tenancy import membership_of
from hosting.models import HostedModel

NO_SUCH_MODEL = "Your team has no hosted model of this name."


class TeamViewSet(GenericViewSet):
    """Sees one team's things only; whatever else exists is 404, in the same words."""

    metadata_class = None  # OPTIONS: what there is to know is in the OpenAPI document

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Some answers hold a secret: nothing between here and the caller may keep any."""
        return {**super().default_response_headers, "Cache-Control": "no-store"}

    @property
    def team(self) -> Team:
        """The team the request speaks for."""
        return membership_of(self.request).team

    @property
    def caller(self) -> User:
        """The person the request speaks for."""
        return membership_of(self.request).user

    def find_model(self) -> HostedModel:
        """Find the model the address names."""
        name = str(self.kwargs["subdomain"])
        # What can't be a name is not looked up: the database refuses some characters.
        model = queries.find_model(self.team, name) if name.isascii() and "\0" not in name else None
        if model is None:
            raise NotFound(NO_SUCH_MODEL)
        return model

    def read(self, serializer: type[BaseSerializer[Any]], data: Any = None) -> dict[str, Any]:
        """Validate what came in: the body, or the data given."""
        incoming = serializer(
            data=self.request.data if data is None else data,
            context=self.get_serializer_context(),
        )
        incoming.is_valid(raise_exception=True)
        return dict(incoming.validated_data)

    def show(self, serializer: type[BaseSerializer[Any]], thing: Any, **more: Any) -> Any:
        """Render what goes out."""
        return serializer(thing, context=self.get_serializer_context(), **more).data
