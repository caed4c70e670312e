"""Requests whose end nobody knows, for those who pay them."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard.teams import TeamRequest, member_page
from hosting.billing import plans
from hosting.billing import unconfirmed as of_billing
from hosting.models import HostedModel

_SHOWN = 200


@require_GET
@member_page
def unconfirmed(request: TeamRequest) -> HttpResponse:
    """Show the last of the team's."""
    names = dict(HostedModel.objects.filter(team=request.team).values_list("pk", "subdomain"))
    found = list(of_billing.of_team(request.team)[: _SHOWN + 1])
    return render(
        request,
        "dashboard/unconfirmed.html",
        {
            "section": "usage",
            "rows": [
                (names.get(each.model_id, f"model {each.model_id}"), each)
                for each in found[:_SHOWN]
            ],
            "more": len(found) > _SHOWN,
            "currency": plans.plan_of(request.team, at=timezone.now()).currency,
        },
    )
