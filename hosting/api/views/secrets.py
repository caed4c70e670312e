"""Secrets of one model."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from hosting import secrets
from hosting.api.pagination import Pages
from hosting.api.serializers.secrets import ModelSecretSerializer, NewSecretSerializer
from hosting.api.views.scope import TeamViewSet
from hosting.models import ModelSecret


class SecretViewSet(TeamViewSet):
    """What the model's code needs and nobody shall see."""

    serializer_class = ModelSecretSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = ModelSecret.objects.none()

    @extend_schema(operation_id="list_secrets", summary="List secrets")
    def list(self, request: Request, subdomain: str) -> Response:
        """List their names, newest first. What they hold is never shown again."""
        page = self.paginate_queryset(secrets.secrets_of(self.find_model()))
        return self.get_paginated_response(self.show(ModelSecretSerializer, page, many=True))

    @extend_schema(
        operation_id="set_secret",
        summary="Set a secret",
        request=NewSecretSerializer,
        responses={200: ModelSecretSerializer},
        examples=[
            OpenApiExample(
                "A variable",
                value={"value": "<the secret>", "kind": "variable"},
                request_only=True,
            )
        ],
    )
    def update(self, request: Request, subdomain: str, secret_name: str) -> Response:
        """Set it, new or not. Replicas that start from now on get it: deploy again to restart."""
        model = self.find_model()
        secret = secrets.put(
            model,
            secret_name,
            by=self.caller,
            now=timezone.now(),
            **self.read(NewSecretSerializer),
        )
        return Response(self.show(ModelSecretSerializer, secret))

    @extend_schema(operation_id="remove_secret", summary="Remove a secret", responses={204: None})
    def destroy(self, request: Request, subdomain: str, secret_name: str) -> Response:
        """Take it away; replicas that start from now on do without."""
        model = self.find_model()
        found = "\0" not in secret_name and secrets.find_secret(model, secret_name)
        if not found:
            raise NotFound("This model has no such secret.")
        secrets.remove(found, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
