"""Image registries: which may be used, and who we are to them.

A team's own login goes before the installation's. Passwords go in and are never shown again.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.models import Team
from hosting.errors import InvalidValue
from hosting.models import RegistryLogin
from hosting.runtimes.base import Login
from hosting.runtimes.images import registry_of
from hosting.secrets import sealer

MOST_USERNAME = 200
MOST_PASSWORD = 32_768  # tokens of the large clouds have thousands
_LONGEST_HOST = 255
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")


def check_allowed(image: str) -> None:
    """Refuse an image from a registry that the operator has not allowed."""
    host = registry_of(image)
    if host is not None and settings.REGISTRIES and host not in settings.REGISTRIES:
        raise InvalidValue(
            f"Images from {host} are not allowed here. Use one of: "
            f"{', '.join(settings.REGISTRIES)}.",
            field="image",
        )


def allowed() -> Sequence[str]:
    """The registries that images may come from; none named: any."""
    return tuple(settings.REGISTRIES)


def logins(team: Team | None) -> QuerySet[RegistryLogin]:
    """A team's logins, or the installation's, by host."""
    return RegistryLogin.objects.filter(team=team).defer("sealed").order_by("host")


def log_in(
    host: str, *, team: Team | None, username: str, password: str, now: datetime
) -> RegistryLogin:
    """Set or replace the login. Raises InvalidValue, or SecretsUnavailable without a key."""
    if len(host) > _LONGEST_HOST or not _HOST.fullmatch(host):
        raise InvalidValue(
            "Name the host as images do, such as registry.example.org:5000.", field="host"
        )
    if not 0 < len(username) <= MOST_USERNAME or "\0" in username:
        raise InvalidValue(f"Give a name, {MOST_USERNAME} characters at most.", field="username")
    if not 0 < len(password) <= MOST_PASSWORD:
        raise InvalidValue(
            f"Give a password or an access token, {MOST_PASSWORD:,} characters at most.",
            field="password",
        )
    given = {"username": username, "sealed": sealer().seal(password), "changed_at": now}
    return RegistryLogin.objects.update_or_create(team=team, host=host, defaults=given)[0]


def log_out(host: str, *, team: Team | None) -> bool:
    """Forget the login; whether there was one."""
    known = _HOST.fullmatch(host) is not None  # the database refuses some characters
    return known and RegistryLogin.objects.filter(team=team, host=host).delete()[0] > 0


def login_for(image: str, *, team_id: int) -> Login | None:
    """The login this team pulls the image with. Raises SecretsUnavailable."""
    host = registry_of(image)
    if host is None:
        return None
    rows = RegistryLogin.objects.filter(Q(team_id=team_id) | Q(team=None), host=host)
    row = max(rows, key=lambda each: each.team_id is not None, default=None)
    return Login(row.username, sealer().open(row.sealed)) if row else None


def is_private(image: str) -> bool:
    """Whether anybody logs in there: then an image that is at hand is not everybody's."""
    host = registry_of(image)
    return host is not None and RegistryLogin.objects.filter(host=host).exists()
