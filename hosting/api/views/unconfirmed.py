"""Requests whose end nobody knows."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hosting.api.pagination import Pages
from hosting.api.serializers.usage import UnconfirmedSerializer
from hosting.api.views.scope import TeamViewSet
from hosting.billing import unconfirmed
from hosting.models import UnconfirmedRequest


class UnconfirmedViewSet(TeamViewSet):
    """What was written down as answered just before a router was killed."""

    serializer_class = UnconfirmedSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = UnconfirmedRequest.objects.none()
    tag = "usage"

    @extend_schema(operation_id="list_unconfirmed", summary="Unconfirmed requests")
    def list(self, request: Request) -> Response:
        """List the team's, newest first. Each is billed until it is settled."""
        page = self.paginate_queryset(unconfirmed.of_team(self.team))
        return self.get_paginated_response(self.show(UnconfirmedSerializer, page, many=True))
