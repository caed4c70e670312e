"""Reads about people, teams and API keys."""

from datetime import datetime

from django.db.models import F, Q, QuerySet

from accounts import secrets
from accounts.models import ApiKey, Membership, Team, User


def memberships(user: User) -> QuerySet[Membership]:
    """The teams this person is in, oldest first."""
    return Membership.objects.filter(user=user).select_related("team", "user").order_by("pk")


def find_membership(user: User, *, team_id: int | None = None) -> Membership | None:
    """The membership in this team; without a team, the first one."""
    found = memberships(user)
    return found.filter(team_id=team_id).first() if team_id is not None else found.first()


def operators() -> QuerySet[User]:
    """Who runs the installation."""
    return User.objects.filter(is_superuser=True).order_by("email")


def teams() -> QuerySet[Team]:
    """Every team of the installation, by name: for its operators only."""
    return Team.objects.select_related("limit").order_by("name", "pk")


def api_keys(team: Team) -> QuerySet[ApiKey]:
    """A team's keys that are not revoked, newest first."""
    return ApiKey.objects.filter(team=team, revoked_at=None).select_related("user").order_by("-pk")


def find_api_key(secret: str, *, now: datetime) -> ApiKey | None:
    """The valid key with this secret, of somebody who is still in its team; else None."""
    if not secrets.well_formed(secret):
        return None
    return (
        ApiKey.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=now),
            digest=secrets.digest(secret),
            revoked_at=None,
            user__is_active=True,
            user__memberships__team_id=F("team_id"),
        )
        .select_related("team", "user")
        .first()
    )
