"""Who calls: `Authorization: Bearer dmk_…`, or a browser with the dashboard's session."""

from django.utils import timezone
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import operations, queries, secrets
from accounts.models import ApiKey, User

# One sentence for unknown, revoked and expired: a stolen key learns nothing from the answer.
NOT_VALID = "This API key is not valid. Issue a new one under API keys on the dashboard."
THATS_AN_ENDPOINT_KEY = (
    "This is an endpoint token: it opens one model's /v1. Use an API key here; it starts with dmk_."
)


class ApiKeyAuthentication(BaseAuthentication):
    """Acts as the key's person, within the key's team (`request.auth` is the ApiKey)."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """Find the key; None when the request carries no Authorization header at all."""
        header = get_authorization_header(request)
        if not header:
            return None
        now = timezone.now()
        key = queries.find_api_key(_bearer(header), now=now)
        if key is None:
            raise AuthenticationFailed(NOT_VALID)
        operations.note_api_key_used(key, now=now)
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        """Make DRF answer 401, not 403, to whom it doesn't know."""
        return 'Bearer realm="Dormouse admin API"'


class OwnPagesSession(SessionAuthentication):
    """The session, for pages of our own origin only; writing needs the CSRF token besides.

    A hosted model's page may be same-site with the dashboard, so its requests carry the cookie.
    """

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """Treat what another origin's page sends as sent by nobody."""
        if request.headers.get("Sec-Fetch-Site") in ("same-site", "cross-site"):
            return None
        found: tuple[User, None] | None = super().authenticate(request)
        return found


def _bearer(header: bytes) -> str:
    scheme, _, secret = header.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        raise AuthenticationFailed("Send your API key as “Authorization: Bearer dmk_…”.")
    secret = secret.strip()
    if secret.startswith(f"dm{secrets.Kind.ENDPOINT}_"):
        raise AuthenticationFailed(THATS_AN_ENDPOINT_KEY, code="endpoint_token")
    return secret
