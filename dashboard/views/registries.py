"""Logins to image registries, a team's and the installation's: set and forgotten, never shown."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Team
from dashboard.forms.access import RegistryLoginForm
from dashboard.teams import TeamRequest, member_page, never_stored, operator_page, owner_page
from hosting import registries
from hosting.errors import HostingError


@require_GET
@member_page
def team_logins(request: TeamRequest) -> HttpResponse:
    """Show whom the team pulls images as, and where it has the installation's logins."""
    return _page(request, request.team, RegistryLoginForm())


@require_POST
@owner_page
def set_team_login(request: TeamRequest) -> HttpResponse:
    """Set a login of the team, new or not."""
    return _set(request, request.team)


@require_POST
@owner_page
def forget_team_login(request: TeamRequest, host: str) -> HttpResponse:
    """Forget a login of the team."""
    return _forget(request, request.team, host)


@require_GET
@operator_page
def installation_logins(request: TeamRequest) -> HttpResponse:
    """Show what teams without a login of their own pull with."""
    return _page(request, None, RegistryLoginForm())


@require_POST
@operator_page
def set_installation_login(request: TeamRequest) -> HttpResponse:
    """Set a login for every team that has none of its own."""
    return _set(request, None)


@require_POST
@operator_page
def forget_installation_login(request: TeamRequest, host: str) -> HttpResponse:
    """Forget a login of the installation."""
    return _forget(request, None, host)


def _set(request: TeamRequest, whose: Team | None) -> HttpResponse:
    form = RegistryLoginForm(request.POST)
    if form.is_valid():
        try:
            login = registries.log_in(team=whose, now=timezone.now(), **form.cleaned_data)
        except HostingError as error:
            form.refuse(error)
        else:
            messages.success(request, f"Images of {login.host} are pulled as {login.username}.")
            return redirect(_address(whose))
    return _page(request, whose, form)


def _forget(request: TeamRequest, whose: Team | None, host: str) -> HttpResponse:
    if not registries.log_out(host, team=whose):
        raise Http404("This login is gone already.")
    messages.success(request, f"The login to {host} is forgotten.")
    return redirect(_address(whose))


def _address(whose: Team | None) -> str:
    return "registries" if whose else "installation-registries"


def _page(request: TeamRequest, whose: Team | None, form: RegistryLoginForm) -> HttpResponse:
    own = list(registries.logins(whose))
    hosts = {each.host for each in own}
    context = {
        "whose": whose,
        "logins": own,
        # By name only: who the installation is to a registry is its operators' business.
        "shared": [each.host for each in registries.logins(None) if each.host not in hosts]
        if whose
        else [],
        "allowed": registries.allowed(),
        "may_change": request.membership.may_manage if whose else True,
        "form": form,
        "section": _address(whose),
    }
    status = 422 if form.errors else 200
    return never_stored(render(request, "dashboard/registries.html", context, status=status))
