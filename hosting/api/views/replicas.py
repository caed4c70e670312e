"""Replicas: what runs, what ran, and its last words."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hosting.api.pagination import Pages
from hosting.api.serializers.replicas import ReplicaSerializer
from hosting.api.views.scope import TeamViewSet
from hosting.models import Replica


class ReplicaViewSet(TeamViewSet):
    """The containers of one model."""

    serializer_class = ReplicaSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = Replica.objects.none()

    @extend_schema(operation_id="list_replicas", summary="List replicas")
    def list(self, request: Request, subdomain: str) -> Response:
        """List them, newest first, with the steps of each start; a crash keeps its last lines."""
        page = self.paginate_queryset(self.find_model().replicas.select_related("revision"))
        return self.get_paginated_response(self.show(ReplicaSerializer, page, many=True))
