"""The team's API keys."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import operations, queries
from accounts.models import ApiKey
from hosting.api.pagination import Pages
from hosting.api.serializers.tokens import (
    ApiKeySerializer,
    IssuedApiKeySerializer,
    NewApiKeySerializer,
)
from hosting.api.tenancy import membership_of, row_id
from hosting.api.views.scope import TeamViewSet


class ApiKeyViewSet(TeamViewSet):
    """Keys for this API. Each acts as the person who issued it, within one team."""

    serializer_class = ApiKeySerializer
    pagination_class = Pages
    filter_backends = []
    queryset = ApiKey.objects.none()

    @extend_schema(operation_id="list_api_keys", summary="List API keys")
    def list(self, request: Request) -> Response:
        """List the team's keys that are not revoked, newest first."""
        page = self.paginate_queryset(queries.api_keys(self.team))
        return self.get_paginated_response(self.show(ApiKeySerializer, page, many=True))

    @extend_schema(
        operation_id="issue_api_key",
        summary="Issue an API key",
        request=NewApiKeySerializer,
        responses={201: IssuedApiKeySerializer},
        examples=[OpenApiExample("A key", value={"name": "deploy script"}, request_only=True)],
    )
    def create(self, request: Request) -> Response:
        """Issue a key that acts as you. Its secret is in this answer and nowhere else."""
        membership = membership_of(request)
        key, secret = operations.issue_api_key(membership, **self.read(NewApiKeySerializer))
        key.secret = secret  # type: ignore[attr-defined]
        return Response(self.show(IssuedApiKeySerializer, key), status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="revoke_api_key", summary="Revoke an API key", responses={204: None}
    )
    def destroy(self, request: Request, key_id: str) -> Response:
        """Revoke for good. Whoever may write may stop any key of the team: leaks can't wait."""
        number = row_id(key_id)
        key = None if number is None else queries.api_keys(self.team).filter(pk=number).first()
        if key is None:
            raise NotFound("Your team has no such API key.")
        operations.revoke_api_key(key, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
