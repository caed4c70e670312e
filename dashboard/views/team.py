"""Who is in the team, and how models are called."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from dashboard.teams import TeamRequest, member_page


@require_GET
@member_page
def members(request: TeamRequest) -> HttpResponse:
    """Show the members and what their roles allow."""
    found = request.team.memberships.select_related("user").order_by("created_at")
    return render(request, "dashboard/members.html", {"members": found, "section": "members"})


@require_GET
@member_page
def docs(request: TeamRequest) -> HttpResponse:
    """Explain the three routes of a model."""
    return render(request, "dashboard/docs.html", {"section": "docs"})
