"""The models list."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts import queries
from dashboard import rows
from dashboard.teams import SESSION_KEY, TeamRequest, member_page


@require_GET
@member_page
def models(request: TeamRequest) -> HttpResponse:
    """Show the team's models; by htmx only the part that changes."""
    found = rows.listing(
        request.team,
        search=request.GET.get("q", "")[:100],
        state=request.GET.get("state", ""),
        now=timezone.now(),
    )
    template = "dashboard/models_table.html" if request.htmx else "dashboard/models.html"
    return render(request, template, {"listing": found, "section": "models"})


@require_POST
@member_page
def choose_team(request: TeamRequest) -> HttpResponse:
    """Switch to another of the person's teams; any other id changes nothing."""
    wanted = request.POST.get("team", "")
    for membership in queries.memberships(request.user):
        if str(membership.team_id) == wanted:
            request.session[SESSION_KEY] = membership.team_id
    return redirect(reverse("models"))
