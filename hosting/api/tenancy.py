"""For which team a request speaks, and whether it may write."""

from typing import Any, cast

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts import queries
from accounts.models import ApiKey, Membership, User

TEAM_HEADER = "X-Dormouse-Team"
LARGEST_ID = 2**63 - 1


class TeamMember(BasePermission):
    """Members read; owners and members write. Leaves the membership on the request."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Answer False to strangers (401); explain a refusal to those we know (403)."""
        if not isinstance(request.user, User):
            return False
        membership = _find_membership(request, request.user)
        if membership is None:
            raise PermissionDenied("You are not a member of this team.", code="not_a_member")
        request.membership = membership  # type: ignore[attr-defined]
        if request.method not in SAFE_METHODS and not membership.may_write:
            raise PermissionDenied(
                "You can look, not change: your role in this team is viewer. "
                "An owner or a member of the team can do this.",
                code="viewer",
            )
        return True


class OwnersWrite(BasePermission):
    """After `TeamMember`: what the whole team has is read by all and changed by its owners."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Explain a refusal."""
        if request.method not in SAFE_METHODS and not membership_of(request).may_manage:
            raise PermissionDenied("An owner of the team can do this.", code="not_an_owner")
        return True


class Operator(BasePermission):
    """After `TeamMember`: what the whole installation has is for those who run it."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Explain a refusal."""
        if not membership_of(request).user.is_operator:
            raise PermissionDenied(
                "An operator of this installation can do this.", code="not_an_operator"
            )
        return True


def membership_of(request: Request) -> Membership:
    """The membership the request acts under; `TeamMember` has let it in."""
    return cast(Membership, getattr(request, "membership"))  # noqa: B009


def row_id(text: str) -> int | None:
    """Read an id out of an address or a header; None for what can't be the id of a row."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    number = int(text)
    return number if number <= LARGEST_ID else None


def _find_membership(request: Request, user: User) -> Membership | None:
    """A key speaks for its own team. A session chooses: header, then dashboard, then the first."""
    if isinstance(request.auth, ApiKey):
        return queries.find_membership(user, team_id=request.auth.team_id)
    wanted = request.headers.get(TEAM_HEADER)
    if wanted is not None:
        team_id = row_id(wanted)
        return None if team_id is None else queries.find_membership(user, team_id=team_id)
    chosen = request.session.get("team_id")
    found = queries.find_membership(user, team_id=chosen) if chosen is not None else None
    return found or queries.find_membership(user)
