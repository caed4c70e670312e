"""Endpoint tokens of one model."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from hosting import queries, tokens
from hosting.api.pagination import Pages
from hosting.api.serializers.tokens import (
    EndpointTokenSerializer,
    IssuedTokenSerializer,
    NewTokenSerializer,
    TokenSettingsSerializer,
)
from hosting.api.tenancy import row_id
from hosting.api.views.scope import TeamViewSet
from hosting.models import EndpointToken

NO_SUCH_TOKEN = "This model has no such token."  # noqa: S105


class EndpointTokenViewSet(TeamViewSet):
    """The tokens that open one model's /v1."""

    serializer_class = EndpointTokenSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = EndpointToken.objects.none()

    @extend_schema(operation_id="list_tokens", summary="List endpoint tokens")
    def list(self, request: Request, subdomain: str) -> Response:
        """List the tokens that are not revoked, newest first, without their secrets."""
        page = self.paginate_queryset(queries.tokens(self.find_model()))
        return self.get_paginated_response(self.show(EndpointTokenSerializer, page, many=True))

    @extend_schema(
        operation_id="issue_token",
        summary="Issue an endpoint token",
        request=NewTokenSerializer,
        responses={201: IssuedTokenSerializer},
        examples=[OpenApiExample("A token", value={"label": "website"}, request_only=True)],
    )
    def create(self, request: Request, subdomain: str) -> Response:
        """Issue a token. Its secret is in this answer and nowhere else."""
        model = self.find_model()
        token, secret = tokens.issue(model, created_by=self.caller, **self.read(NewTokenSerializer))
        token.secret = secret  # type: ignore[attr-defined]
        return Response(self.show(IssuedTokenSerializer, token), status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="change_token",
        summary="Change an endpoint token",
        request=TokenSettingsSerializer,
        responses=EndpointTokenSerializer,
        examples=[
            OpenApiExample("A limit", value={"rate_limit": "60/minute"}, request_only=True),
            OpenApiExample("It may not wake", value={"may_wake": False}, request_only=True),
        ],
    )
    def partial_update(self, request: Request, subdomain: str, token_id: str) -> Response:
        """Change its name, its limit or whether it may wake the model; the secret stays."""
        token = self._find(token_id)
        tokens.change(token, **self.read(TokenSettingsSerializer))
        return Response(self.show(EndpointTokenSerializer, token))

    @extend_schema(
        operation_id="revoke_token", summary="Revoke an endpoint token", responses={204: None}
    )
    def destroy(self, request: Request, subdomain: str, token_id: str) -> Response:
        """Revoke for good: calls with it are refused at once."""
        tokens.revoke(self._find(token_id), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _find(self, token_id: str) -> EndpointToken:
        model, number = self.find_model(), row_id(token_id)
        token = None if number is None else queries.find_token(model, number)
        if token is None:
            raise NotFound(NO_SUCH_TOKEN)
        return token
