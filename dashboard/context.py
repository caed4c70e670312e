"""What the frame around every page needs: the team, the person's other teams, the demo's hint."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts import queries
from accounts.models import Membership, User
from dashboard.teams import membership_of
from hosting.queries import hosted_models


def frame(request: HttpRequest) -> dict[str, Any]:
    """Lazy, all of it: a page without the frame costs no query."""

    def membership() -> Membership | None:
        known: Membership | None = getattr(request, "membership", None)
        return known or membership_of(request)

    def memberships() -> list[Membership]:
        return list(queries.memberships(request.user)) if isinstance(request.user, User) else []

    def model_count() -> int:
        found = membership()
        return hosted_models(found.team).count() if found else 0

    return {
        "membership": SimpleLazyObject(membership),
        "memberships": SimpleLazyObject(memberships),
        "model_count": SimpleLazyObject(model_count),
        "demo_email": settings.DEMO_EMAIL,
        "demo_file": _from_here(settings.STATE_DIR / "demo.json"),
        "base_domain": f"{settings.BASE_DOMAIN}{settings.ENDPOINT_PORT_SUFFIX}",
        "dashboard_url": settings.DASHBOARD_URL,
        "mails_are_logged": not settings.EMAIL_HOST,
        "registration_open": settings.REGISTRATION_OPEN,
    }


def _from_here(file: Path) -> Path:
    """As somebody in the checkout would name it."""
    return file.relative_to(settings.ROOT) if file.is_relative_to(settings.ROOT) else file
