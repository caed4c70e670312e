"""The history of a model's state."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hosting.api.pagination import Pages
from hosting.api.serializers.hosted_models import TransitionSerializer
from hosting.api.views.scope import TeamViewSet
from hosting.models import Transition


class TransitionViewSet(TeamViewSet):
    """What a model did, and why."""

    serializer_class = TransitionSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = Transition.objects.none()

    @extend_schema(operation_id="list_transitions", summary="List changes of state")
    def list(self, request: Request, subdomain: str) -> Response:
        """List the moves between states and what caused them, newest first."""
        page = self.paginate_queryset(self.find_model().transitions.all())
        return self.get_paginated_response(self.show(TransitionSerializer, page, many=True))
