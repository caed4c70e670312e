"""Who is in the team, what it is called, and how models are called."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import operations
from dashboard.forms.access import TeamNameForm
from dashboard.teams import TeamRequest, member_page, owner_page


@require_GET
@member_page
def members(request: TeamRequest) -> HttpResponse:
    """Show the members and what their roles allow."""
    return _page(request, TeamNameForm(initial={"name": request.team.name}))


@require_POST
@owner_page
def rename(request: TeamRequest) -> HttpResponse:
    """Call the team something else."""
    form = TeamNameForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    operations.rename_team(request.team, **form.cleaned_data)
    messages.success(request, f"The team is called {request.team} now.")
    return redirect("members")


@require_GET
@member_page
def docs(request: TeamRequest) -> HttpResponse:
    """Explain the three routes of a model."""
    return render(request, "dashboard/docs.html", {"section": "docs"})


def _page(request: TeamRequest, form: TeamNameForm) -> HttpResponse:
    context = {
        "members": request.team.memberships.select_related("user").order_by("created_at"),
        "form": form,
        "section": "members",
    }
    status = 422 if form.errors else 200
    return render(request, "dashboard/members.html", context, status=status)
