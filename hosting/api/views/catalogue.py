"""The catalogue of example models."""

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from hosting import catalogue
from hosting.api.serializers.catalogue import CatalogueEntrySerializer
from hosting.api.views.scope import TeamViewSet


class CatalogueViewSet(TeamViewSet):
    """The models that ship with Dormouse; the same for every team."""

    serializer_class = CatalogueEntrySerializer
    pagination_class = None
    filter_backends = []

    @extend_schema(
        operation_id="list_catalogue",
        summary="List the catalogue",
        responses=CatalogueEntrySerializer(many=True),
    )
    def list(self, request: Request) -> Response:
        """List what can be hosted without an image of your own."""
        offered = [entry for entry in catalogue.entries() if not entry.hidden]
        return Response(self.show(CatalogueEntrySerializer, offered, many=True))

    @extend_schema(operation_id="retrieve_catalogue_entry", summary="Look at a catalogue entry")
    def retrieve(self, request: Request, slug: str) -> Response:
        """Show one entry with its options and a sample input."""
        entry = catalogue.find(slug)
        if entry is None:
            raise NotFound("The catalogue has no such entry.")
        return Response(self.show(CatalogueEntrySerializer, entry))
