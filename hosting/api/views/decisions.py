"""Who decided which revision runs."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hosting import queries
from hosting.api.pagination import Pages
from hosting.api.serializers.revisions import DecisionSerializer
from hosting.api.views.scope import TeamViewSet
from hosting.models import Decision


class DecisionViewSet(TeamViewSet):
    """Deploys, canaries, promotions, rollbacks: by whom and when."""

    serializer_class = DecisionSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = Decision.objects.none()

    @extend_schema(
        operation_id="list_decisions", summary="List decisions on revisions", tags=["models"]
    )
    def list(self, request: Request, subdomain: str) -> Response:
        """List who deployed, tried, promoted, aborted or went back, newest first."""
        page = self.paginate_queryset(queries.decisions(self.find_model()))
        return self.get_paginated_response(self.show(DecisionSerializer, page, many=True))
