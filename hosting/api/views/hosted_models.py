"""Hosted models: create, look, change, wake, sleep, delete."""

from dataclasses import fields
from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from hosting import queries
from hosting.api.filters import HostedModelFilter
from hosting.api.pagination import PagesBySubdomain
from hosting.api.schema import problems
from hosting.api.serializers.hosted_models import (
    CreatedModelSerializer,
    HostedModelSerializer,
    ModelSettingsSerializer,
    NewModelSerializer,
)
from hosting.api.serializers.replicas import HostedModelDetailSerializer
from hosting.api.serializers.revisions import revision_spec
from hosting.api.views.scope import TeamViewSet
from hosting.errors import InvalidValue
from hosting.lifecycle import operations
from hosting.lifecycle.specs import RevisionSpec
from hosting.models import HostedModel

CATALOGUE_EXAMPLE = OpenApiExample(
    "An entry of the catalogue",
    value={"subdomain": "my-tales", "revision": {"image": "catalogue:text-generator"}},
    request_only=True,
)
IMAGE_EXAMPLE = OpenApiExample(
    "An image of your own",
    value={
        "subdomain": "my-classifier",
        "public": True,
        "idle_timeout_seconds": 900,
        "revision": {
            "image": "registry.example.org/team/classifier:3",
            "protocol": "http",
            "port": 8080,
            "health_path": "/health",
            "memory_mb": 1024,
        },
    },
    request_only=True,
)
_REVISION_FIELDS = {each.name for each in fields(RevisionSpec)}


class HostedModelViewSet(TeamViewSet):
    """The team's hosted models."""

    serializer_class = HostedModelSerializer
    pagination_class = PagesBySubdomain
    filterset_class = HostedModelFilter
    queryset = HostedModel.objects.none()

    @extend_schema(operation_id="list_models", summary="List hosted models")
    def list(self, request: Request) -> Response:
        """List the team's models by name."""
        found = self.filter_queryset(queries.hosted_models(self.team))
        page = self.paginate_queryset(found)
        return self.get_paginated_response(self.show(HostedModelSerializer, page, many=True))

    @extend_schema(
        operation_id="create_model",
        summary="Create a hosted model",
        request=NewModelSerializer,
        responses={201: CreatedModelSerializer, **problems(409)},
        examples=[CATALOGUE_EXAMPLE, IMAGE_EXAMPLE],
    )
    def create(self, request: Request) -> Response:
        """Create a model; its endpoint answers at once, and the first request wakes it."""
        data = self.read(NewModelSerializer)
        wanted = data.pop("revision")
        try:
            created = operations.create_model(
                self.team, revision=revision_spec(wanted), created_by=self.caller, **data
            )
        except InvalidValue as error:
            if error.field in _REVISION_FIELDS:
                error.field = f"revision.{error.field}"  # where it stands in this body
            raise
        model = created.model
        model.token = created.token  # type: ignore[attr-defined]
        if created.token is not None:
            created.token.secret = created.secret  # type: ignore[attr-defined]
        return Response(
            self.show(CreatedModelSerializer, model),
            status=status.HTTP_201_CREATED,
            headers={"Location": f"/api/v1/models/{model.subdomain}/"},
        )

    @extend_schema(
        operation_id="retrieve_model",
        summary="Look at a hosted model",
        responses=HostedModelDetailSerializer,
    )
    def retrieve(self, request: Request, subdomain: str) -> Response:
        """Show one model with its current revision and how far the build of its image is."""
        return Response(self.show(HostedModelDetailSerializer, self.find_model()))

    @extend_schema(
        operation_id="change_model",
        summary="Change settings",
        request=ModelSettingsSerializer,
        responses=HostedModelSerializer,
        examples=[OpenApiExample("Make it public", value={"public": True}, request_only=True)],
    )
    def partial_update(self, request: Request, subdomain: str) -> Response:
        """Change what is sent and leave the rest. To run something else, deploy a revision."""
        model = self.find_model()
        settings = self.read(ModelSettingsSerializer)
        active = settings.pop("active", None)
        with transaction.atomic():
            operations.change_settings(model, **settings)
            if active is not None and active != model.active:
                self._switch(model, on=active)
        return self._answer(model)

    @extend_schema(
        operation_id="delete_model", summary="Delete a hosted model", responses={204: None}
    )
    def destroy(self, request: Request, subdomain: str) -> Response:
        """Delete for good. Other teams can't have the name for 90 days; usage stays on record."""
        operations.delete_model(self.find_model(), cause=self.caller.email, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="wake_model",
        summary="Wake",
        request=None,
        responses={202: HostedModelSerializer, **problems(409)},
    )
    def wake(self, request: Request, subdomain: str) -> Response:
        """Ask for a replica, as a request would. Safe to repeat; look at `state` for the rest."""
        model = self.find_model()
        operations.wake(model, cause=self.caller.email, now=timezone.now())
        return self._answer(model, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        operation_id="sleep_model",
        summary="Put to sleep",
        request=None,
        responses={202: HostedModelSerializer},
    )
    def sleep(self, request: Request, subdomain: str) -> Response:
        """Put it to sleep once the requests in flight have ended. The next request wakes it."""
        model = self.find_model()
        operations.sleep(model, cause=self.caller.email, now=timezone.now())
        return self._answer(model, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        operation_id="activate_model",
        summary="Switch on",
        request=None,
        responses=HostedModelSerializer,
    )
    def activate(self, request: Request, subdomain: str) -> Response:
        """Give it its endpoint back; the next request wakes it."""
        return self._switched(on=True)

    @extend_schema(
        operation_id="deactivate_model",
        summary="Switch off",
        request=None,
        responses=HostedModelSerializer,
    )
    def deactivate(self, request: Request, subdomain: str) -> Response:
        """Answer 404 to its callers and let it sleep, until it is switched on again."""
        return self._switched(on=False)

    def _switched(self, *, on: bool) -> Response:
        model = self.find_model()
        self._switch(model, on=on)
        return self._answer(model)

    def _switch(self, model: HostedModel, *, on: bool) -> None:
        if on:
            operations.activate(model)
        else:
            operations.deactivate(model, cause=self.caller.email, now=timezone.now())

    def _answer(self, model: HostedModel, **more: Any) -> Response:
        """Show the model as the rows have it now: an operation may have moved its state."""
        model.refresh_from_db()
        return Response(self.show(HostedModelSerializer, model), **more)
