"""Which subdomains a team may have."""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.conf import settings
from django.utils import timezone

from accounts.models import Team
from hosting.errors import InvalidValue, SubdomainTaken
from hosting.models import HostedModel
from hosting.models.hosted_model import SUBDOMAIN_PATTERN

SHORTEST, LONGEST = 3, 40
# Code that still calls a deleted name must not reach a stranger's model.
QUARANTINE = timedelta(days=90)

RESERVED = frozenset(
    """
    www app api admin dashboard login auth account accounts billing pay support help status
    docs blog mail smtp imap mx ns1 ns2 ns3 ns4 ns5 ns6 ns7 ns8 ns9 ftp cdn static assets
    media img git registry internal metrics prometheus grafana staging dev test demo sandbox
    webhook oauth sso security abuse postmaster hostmaster root system localhost wpad
    autodiscover autoconfig isatap operator
    """.split()  # noqa: SIM905 - a list of words reads best as words
)

Verdict = Literal["free", "taken", "reserved", "malformed"]


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a name can be had, and the sentence that says so."""

    subdomain: str
    status: Verdict
    message: str

    @property
    def free(self) -> bool:
        """Whether a model of this name may be created now."""
        return self.status == "free"


def check(subdomain: str, *, team: Team | None) -> Availability:
    """Judge a name for this team; another team's deleted name counts as taken for 90 days."""
    if not SHORTEST <= len(subdomain) <= LONGEST or not re.fullmatch(SUBDOMAIN_PATTERN, subdomain):
        return Availability(
            subdomain,
            "malformed",
            f"Use {SHORTEST} to {LONGEST} lower-case letters, digits and single inner hyphens, "
            "starting with a letter.",
        )
    if subdomain in RESERVED | settings.RESERVED_SUBDOMAINS or subdomain.startswith("xn-"):
        return Availability(subdomain, "reserved", f"“{subdomain}” is reserved. Try another.")
    if _is_taken(subdomain, team=team):
        return Availability(subdomain, "taken", f"“{subdomain}” is taken. Try another.")
    return Availability(subdomain, "free", f"“{subdomain}” is free.")


def require(subdomain: str, *, team: Team) -> None:
    """Raise SubdomainTaken or InvalidValue unless the team may have this name."""
    availability = check(subdomain, team=team)
    if availability.status == "taken":
        raise SubdomainTaken(subdomain)
    if not availability.free:
        raise InvalidValue(availability.message, field="subdomain")


def suggestions(wanted: str, *, team: Team | None) -> list[str]:
    """Three free names close to the wanted one."""
    stem = re.sub(r"-{2,}", "-", re.sub(r"[^a-z0-9-]+", "-", wanted.lower())).strip("-")
    stem = re.sub(r"^[0-9-]+", "", stem)[: LONGEST - 9].strip("-") or "model"
    candidates = [f"{stem}-{ending}" for ending in ("live", "hosted", "two")]
    candidates += [f"{stem}-{secrets.token_hex(4)}" for _ in range(3)]
    return [name for name in candidates if check(name, team=team).free][:3]


def _is_taken(subdomain: str, *, team: Team | None) -> bool:
    same_name = HostedModel.objects.filter(subdomain=subdomain)
    recently_deleted = same_name.filter(deleted_at__gt=timezone.now() - QUARANTINE)
    return (
        same_name.filter(deleted_at=None).exists() or recently_deleted.exclude(team=team).exists()
    )
