"""What models hold of the machines: a team's own page, and the operators' of every team."""

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.forms import model_to_dict
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import Team
from accounts.queries import teams
from dashboard import room
from dashboard.forms.access import TeamLimitForm
from dashboard.teams import TeamRequest, member_page, operator_page
from hosting import disks
from hosting.errors import HostingError
from hosting.lifecycle.capacity import set_team_limit
from hosting.lifecycle.holdings import read_held, rooms_of, waiting_models

_A_PAGE = 50


@require_GET
@member_page
def team_capacity(request: TeamRequest) -> HttpResponse:
    """Show what the team's models hold, what they may, and who waits for room."""
    (own,) = rooms_of([request.team])
    context = {
        "rows": room.rows(own.held, own.limit),
        "waiting": waiting_models().filter(team=request.team),
        "section": "capacity",
    }
    return render(request, "dashboard/capacity.html", context)


@require_GET
@operator_page
def installation_capacity(request: TeamRequest) -> HttpResponse:
    """Show what every team holds, what is held on each machine, and who waits."""
    page = Paginator(teams(), _A_PAGE).get_page(request.GET.get("page"))
    nodes = [(name, room.amounts(held)) for name, held in sorted(read_held().by_node.items())]
    context = {
        "page": page,
        "teams": [(each, room.rows(each.held, each.limit)) for each in rooms_of(list(page))],
        "nodes": nodes,
        "low_disks": [each for each in disks.look([settings.STATE_DIR]) if each.low],
        "waiting": waiting_models().select_related("team"),
        "section": "installation-capacity",
    }
    return render(request, "dashboard/installation_capacity.html", context)


@require_http_methods(["GET", "POST"])
@operator_page
def limit_team(request: TeamRequest, team_id: int) -> HttpResponse:
    """Say what a team's models may hold at the same time."""
    team = teams().filter(pk=team_id).first()
    if team is None:
        raise Http404("There is no such team.")
    (now,) = rooms_of([team])
    if request.method == "GET":
        return _form_page(request, team, TeamLimitForm(initial=model_to_dict(now.own)))
    form = TeamLimitForm(request.POST)
    if form.is_valid():
        try:
            set_team_limit(team.pk, clear=True, **form.cleaned_data)
        except HostingError as error:
            form.refuse(error)
        else:
            messages.success(request, f"The limits of {team} are set. Nothing was stopped for it.")
            return redirect("installation-capacity")
    return _form_page(request, team, form)


def _form_page(request: TeamRequest, team: Team, form: TeamLimitForm) -> HttpResponse:
    (own,) = rooms_of([team])
    context = {
        "team": team,
        "rows": room.rows(own.held, own.limit),
        "form": form,
        "section": "installation-capacity",
    }
    status = 422 if form.errors else 200
    return render(request, "dashboard/team_limit.html", context, status=status)
