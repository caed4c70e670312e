"""Revisions: what a model has run, and what it runs next."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from hosting import queries
from hosting.api.pagination import Pages
from hosting.api.serializers.revisions import (
    NewRevisionSerializer,
    RevisionSerializer,
    RollbackSerializer,
    revision_spec,
)
from hosting.api.views.scope import TeamViewSet
from hosting.lifecycle import operations
from hosting.models import Revision


class RevisionViewSet(TeamViewSet):
    """The revisions of one model."""

    serializer_class = RevisionSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = Revision.objects.none()

    @extend_schema(operation_id="list_revisions", summary="List revisions")
    def list(self, request: Request, subdomain: str) -> Response:
        """List what this model has run, newest first."""
        page = self.paginate_queryset(queries.revisions(self.find_model()))
        return self.get_paginated_response(self.show(RevisionSerializer, page, many=True))

    @extend_schema(
        operation_id="deploy_revision",
        summary="Deploy a revision",
        request=NewRevisionSerializer,
        responses={201: RevisionSerializer},
        examples=[
            OpenApiExample(
                "More memory",
                value={"image": "catalogue:text-generator", "memory_mb": 1024},
                request_only=True,
            )
        ],
    )
    def create(self, request: Request, subdomain: str) -> Response:
        """Make a new revision the current one.

        An awake model serves with the old one until the new one answers; if it never does, the old
        one stays and the new one says why.
        """
        model = self.find_model()
        spec = revision_spec(self.read(NewRevisionSerializer))
        revision = operations.deploy(model, revision=spec, created_by=self.caller)
        return Response(self.show(RevisionSerializer, revision), status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="roll_back",
        summary="Go back to an earlier revision",
        request=RollbackSerializer,
        responses={200: RevisionSerializer},
        examples=[OpenApiExample("The first one", value={"number": 1}, request_only=True)],
    )
    def roll_back(self, request: Request, subdomain: str) -> Response:
        """Make one of the revisions in the list the current one again. No request fails by it."""
        model = self.find_model()
        revision = operations.roll_back(model, **self.read(RollbackSerializer))
        return Response(self.show(RevisionSerializer, revision))
