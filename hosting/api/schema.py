"""The OpenAPI description: how to authenticate, and the refusals every operation may answer."""

from typing import Any, Literal

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema as SpectacularSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework.permissions import SAFE_METHODS

from hosting.api.errors import PROBLEM_JSON
from hosting.api.serializers.problem import ProblemSerializer

DESCRIPTIONS = {
    400: "The body can't be read.",
    401: "No API key, or not a valid one.",
    403: "Your role in the team doesn't allow this.",
    404: "Your team has no such thing.",
    409: "It can't be done as things stand; `code` says why.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A value can't be accepted; `errors` names each field.",
    429: "Too many requests. Wait as long as Retry-After says.",
    503: "Something this needs is away. Nothing was changed; try again.",
}

Problems = dict[tuple[int, str], OpenApiResponse]


def problems(*statuses: int) -> Problems:
    """Describe refusals, for `extend_schema(responses=…)`."""
    return {
        (status, PROBLEM_JSON): OpenApiResponse(ProblemSerializer, DESCRIPTIONS[status])
        for status in statuses
    }


class AutoSchema(SpectacularSchema):
    """drf-spectacular's, with the refusals that follow from an operation's shape."""

    def get_tags(self) -> list[str]:
        """Group by subject: models, tokens, usage …"""
        return [getattr(self.view, "tag", None) or super().get_tags()[0]]

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        responses = super()._get_response_bodies(direction)
        if direction == "response":
            for (status, media_type), response in problems(*self._refusals()).items():
                described = self._get_response_for_code(  # type: ignore[no-untyped-call]
                    response, str(status), [media_type]
                )
                responses.setdefault(str(status), described)
        return responses

    def _refusals(self) -> list[int]:
        statuses = {401, 403, 429}
        if "{" in self.path:
            statuses.add(404)
        if self.method not in SAFE_METHODS and self.get_request_serializer() is not None:
            statuses |= {400, 413, 415, 422}
        if self._get_parameters() and any(each["in"] == "query" for each in self._get_parameters()):
            statuses.add(422)
        return sorted(statuses)


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What Swagger UI asks for under “Authorize”."""

    target_class = "hosting.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: SpectacularSchema) -> dict[str, str]:
        """A bearer token."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "dmk_…"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The dashboard's session, for pages of its own origin."""

    target_class = "hosting.api.authentication.OwnPagesSession"
    name = "session"

    def get_security_definition(self, auto_schema: SpectacularSchema) -> dict[str, str]:
        """A cookie."""
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
