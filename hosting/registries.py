"""Image registries: which may be used, and who we are to them.

A team's own login goes before the installation's. Passwords go in and are never shown again.
"""

import re
from datetime import datetime

from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.models import Team
from hosting.errors import InvalidValue
from hosting.models import RegistryLogin
from hosting.runtimes.base import Login
from hosting.runtimes.images import registry_of
from hosting.secrets import sealer

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


def logins(team: Team | None) -> QuerySet[RegistryLogin]:
    """A team's logins, or the installation's, by host."""
    return RegistryLogin.objects.filter(team=team).defer("sealed").order_by("host")


def log_in(host: str, *, team: Team | None, username: str, password: str, now: datetime) -> None:
    """Set or replace the login. Raises InvalidValue, or SecretsUnavailable without a key."""
    if not _HOST.fullmatch(host):
        raise InvalidValue(
            "Name the host as images do, such as registry.example.org:5000.", field="host"
        )
    if not username or not password:
        raise InvalidValue("Give a name and a password.", field="username")
    given = {"username": username, "sealed": sealer().seal(password), "changed_at": now}
    RegistryLogin.objects.update_or_create(team=team, host=host, defaults=given)


def log_out(host: str, *, team: Team | None) -> bool:
    """Forget the login; whether there was one."""
    return RegistryLogin.objects.filter(team=team, host=host).delete()[0] > 0


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
