"""For which team a page speaks, and who may change what it shows."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django_htmx.middleware import HtmxDetails

from accounts import queries
from accounts.models import Membership, Role, Team, User
from hosting.models import HostedModel
from hosting.queries import find_model

SESSION_KEY = "team_id"


class TeamRequest(HttpRequest):
    """A request of somebody who is signed in, for one of their teams."""

    user: User
    membership: Membership
    htmx: HtmxDetails

    @property
    def team(self) -> Team:
        """The team the page speaks for."""
        return self.membership.team


class Refused(PermissionDenied):
    """Not with this role; `roles` are those of the team who can."""

    def __init__(self, reason: str, *, roles: Sequence[str]) -> None:
        super().__init__(reason)
        self.roles = roles


View = Callable[..., HttpResponseBase]


def membership_of(request: HttpRequest) -> Membership | None:
    """The chosen membership, else the first; None for strangers and people without a team."""
    if not isinstance(request.user, User):
        return None
    chosen = request.session.get(SESSION_KEY)
    found = queries.find_membership(request.user, team_id=chosen) if chosen is not None else None
    return found or queries.find_membership(request.user)


def member_page(view: View) -> View:
    """Let members of a team in, and leave their membership on the request."""

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        membership = membership_of(request)
        if membership is None:
            raise PermissionDenied("You are not in a team yet. Ask an owner of one to add you.")
        request.membership = membership  # type: ignore[attr-defined]
        request.team = membership.team  # type: ignore[attr-defined]
        return view(request, *args, **kwargs)

    return cast(View, login_required(page))


def writer_page(view: View) -> View:
    """Let those in who may change models; viewers learn who can."""

    @wraps(view)
    def page(request: TeamRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.membership.may_write:
            raise Refused(
                "You can look at this team's models, but not change them.",
                roles=[Role.OWNER, Role.MEMBER],
            )
        return view(request, *args, **kwargs)

    return member_page(page)


def owner_page(view: View) -> View:
    """Let those in who may change what the whole team has."""

    @wraps(view)
    def page(request: TeamRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.membership.may_manage:
            raise Refused("Only an owner of the team can change this.", roles=[Role.OWNER])
        return view(request, *args, **kwargs)

    return member_page(page)


def operator_page(view: View) -> View:
    """Let those in who run this installation, for all its teams."""

    @wraps(view)
    def page(request: TeamRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_operator:
            raise Refused("This page is for those who run this installation.", roles=[])
        return view(request, *args, **kwargs)

    return member_page(page)


def model_or_404(request: TeamRequest, subdomain: str) -> HostedModel:
    """The team's model. Another team's is as absent as one that never was."""
    model = find_model(request.team, subdomain)
    if model is None:
        raise Http404(f"This team has no model called “{subdomain}”.")
    return model


def never_stored(response: HttpResponse) -> HttpResponse:
    """Keep a page with a secret out of every cache."""
    response["Cache-Control"] = "no-store"
    return response
