"""The verbs of people, teams and API keys."""

from datetime import datetime, timedelta

from django.db import transaction

from accounts import secrets
from accounts.models import ApiKey, Membership, Role, Team, User

# `last_used_at` is a comfort, not an audit: one write per key and minute is enough.
LAST_USED_RESOLUTION = timedelta(minutes=1)


@transaction.atomic
def found_team(owner: User, *, name: str) -> Team:
    """Create a team with `owner` as its owner."""
    team = Team.objects.create(name=name[:80])
    Membership.objects.create(team=team, user=owner, role=Role.OWNER)
    return team


def rename_team(team: Team, *, name: str) -> None:
    """Call a team something else. Its models, keys and bills stay as they are."""
    team.name = name
    team.save(update_fields=["name"])


def appoint(email: str, *, operator: bool) -> bool:
    """Let a person run the installation, or not any more; whether there is such a person."""
    changed = {"is_staff": operator, "is_superuser": operator}
    return User.objects.filter(email__iexact=email).update(**changed) > 0


def issue_api_key(
    membership: Membership, *, name: str, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Issue a key for one person in one team; returns the row and the secret, shown once."""
    secret = secrets.mint(secrets.Kind.API_KEY)
    key = ApiKey.objects.create(
        team=membership.team,
        user=membership.user,
        name=name,
        digest=secrets.digest(secret),
        first_characters=secret[:8],
        last_characters=secret[-4:],
        expires_at=expires_at,
    )
    return key, secret


def revoke_api_key(key: ApiKey, *, now: datetime) -> None:
    """Revoke a key for good. Revoking twice keeps the first time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)


def note_api_key_used(key: ApiKey, *, now: datetime) -> None:
    """Remember the last use, at most once a minute."""
    if key.last_used_at is None or now - key.last_used_at > LAST_USED_RESOLUTION:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
