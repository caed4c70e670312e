"""Revisions: what a model has run, and what it runs next."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from hosting import queries
from hosting.api.pagination import Pages
from hosting.api.schema import problems
from hosting.api.serializers.revisions import (
    CanarySerializer,
    DeploySerializer,
    RevisionInUseSerializer,
    RollbackSerializer,
    revision_spec,
)
from hosting.api.views.scope import TeamViewSet
from hosting.lifecycle import operations
from hosting.models import Revision


class RevisionViewSet(TeamViewSet):
    """The revisions of one model."""

    serializer_class = RevisionInUseSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = Revision.objects.none()

    @extend_schema(
        operation_id="list_revisions",
        summary="List revisions",
        responses=RevisionInUseSerializer(many=True),
    )
    def list(self, request: Request, subdomain: str) -> Response:
        """List what this model has run, newest first, and how each is in use."""
        page = self.paginate_queryset(queries.revisions(self.find_model()))
        return self.get_paginated_response(self.show(RevisionInUseSerializer, page, many=True))

    @extend_schema(
        operation_id="deploy_revision",
        summary="Deploy a revision",
        request=DeploySerializer,
        responses={201: RevisionInUseSerializer},
        examples=[
            OpenApiExample(
                "More memory",
                value={"image": "catalogue:text-generator", "memory_mb": 1024},
                request_only=True,
            ),
            OpenApiExample(
                "First with a tenth of the queries",
                value={"image": "catalogue:text-generator", "canary_share": 10},
                request_only=True,
            ),
        ],
    )
    def create(self, request: Request, subdomain: str) -> Response:
        """Make a new revision the current one, or try it as a canary first.

        An awake model serves with the old one until the new one answers, the golden requests
        included; if it never does, the old one stays and the new one says why. A canary that is
        under way ends.
        """
        model, data = self.find_model(), self.read(DeploySerializer)
        share = data.pop("canary_share", None)
        made = operations.deploy(
            model, revision=revision_spec(data), created_by=self.caller, canary_share=share
        )
        return self._answer(made, status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="roll_back",
        summary="Go back to an earlier revision",
        request=RollbackSerializer,
        responses={200: RevisionInUseSerializer},
        examples=[OpenApiExample("The first one", value={"number": 1}, request_only=True)],
    )
    def roll_back(self, request: Request, subdomain: str) -> Response:
        """Make one of the revisions in the list the current one again. No request fails by it.

        It must answer the golden requests first, or what is current stays; with `ask` false it
        takes over without, for an emergency.
        """
        return self._answer(
            operations.roll_back(self.find_model(), by=self.caller, **self.read(RollbackSerializer))
        )

    @extend_schema(
        operation_id="start_canary",
        summary="Try a revision as a canary, or change its share",
        request=CanarySerializer,
        responses={200: RevisionInUseSerializer},
        examples=[
            OpenApiExample("A tenth", value={"number": 2, "share": 10}, request_only=True),
        ],
    )
    def start_canary(self, request: Request, subdomain: str) -> Response:
        """Have a revision of the list take a share of the queries beside the current one.

        Requests with the header `X-Dormouse-Revision` and the number of either go to that one. It
        is called off by itself when it fails more of its requests than the current one.
        """
        target = operations.start_canary(
            self.find_model(),
            created_by=self.caller,
            now=timezone.now(),
            **self.read(CanarySerializer),
        )
        return self._answer(target.revision)

    @extend_schema(
        operation_id="abort_canary",
        summary="Abort the canary",
        responses={204: None, **problems(409)},
    )
    def abort_canary(self, request: Request, subdomain: str) -> Response:
        """Give its share back to the current revision. No request fails by it."""
        operations.abort_canary(self.find_model(), by=self.caller, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="promote_canary",
        summary="Promote the canary",
        request=None,
        responses={200: RevisionInUseSerializer, **problems(409)},
    )
    def promote(self, request: Request, subdomain: str) -> Response:
        """Make the canary the current revision. No request fails by it."""
        promoted = operations.promote(self.find_model(), by=self.caller, now=timezone.now())
        return self._answer(promoted)

    def _answer(self, revision: Revision, *, status: int = status.HTTP_200_OK) -> Response:
        shown = queries.revisions(self.find_model()).get(pk=revision.pk)
        return Response(self.show(RevisionInUseSerializer, shown), status=status)
