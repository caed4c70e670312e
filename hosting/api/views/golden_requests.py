"""Golden requests of one model."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from hosting import queries
from hosting.api.pagination import Pages
from hosting.api.serializers.golden_requests import (
    GoldenRequestSerializer,
    NewGoldenRequestSerializer,
)
from hosting.api.tenancy import row_id
from hosting.api.views.scope import TeamViewSet
from hosting.lifecycle import golden_requests
from hosting.models import GoldenRequest


class GoldenRequestViewSet(TeamViewSet):
    """The samples that a new revision must answer before it takes traffic."""

    serializer_class = GoldenRequestSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = GoldenRequest.objects.none()

    @extend_schema(operation_id="list_golden_requests", summary="List golden requests")
    def list(self, request: Request, subdomain: str) -> Response:
        """List what a new revision is asked, in the order it is asked."""
        page = self.paginate_queryset(queries.golden_requests(self.find_model()))
        return self.get_paginated_response(self.show(GoldenRequestSerializer, page, many=True))

    @extend_schema(
        operation_id="keep_golden_request",
        summary="Keep a golden request",
        request=NewGoldenRequestSerializer,
        responses={201: GoldenRequestSerializer},
        examples=[
            OpenApiExample(
                "A tale has a text",
                value={
                    "name": "tells something",
                    "input": {"prompt": "Once upon a time", "max_characters": 50},
                    "expected_keys": ["generated_text"],
                },
                request_only=True,
            )
        ],
    )
    def create(self, request: Request, subdomain: str) -> Response:
        """Have every new revision answer this before it takes traffic. It is not billed."""
        sample = golden_requests.Sample(**self.read(NewGoldenRequestSerializer))
        kept = golden_requests.keep(self.find_model(), sample, created_by=self.caller)
        return Response(self.show(GoldenRequestSerializer, kept), status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="forget_golden_request",
        summary="Forget a golden request",
        responses={204: None},
    )
    def destroy(self, request: Request, subdomain: str, golden_id: str) -> Response:
        """Ask it no more."""
        model, number = self.find_model(), row_id(golden_id)
        kept = None if number is None else queries.find_golden_request(model, number)
        if kept is None:
            raise NotFound("This model has no such golden request.")
        golden_requests.forget(kept)
        return Response(status=status.HTTP_204_NO_CONTENT)
