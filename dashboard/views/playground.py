"""Trying a model by hand: a form made from its own description."""

from urllib.parse import urlsplit

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard import states
from dashboard.teams import TeamRequest, member_page, model_or_404
from hosting import catalogue


@require_GET
@member_page
def playground(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Show the page whose script talks to the model as any caller would.

    Nothing is relayed through us and no stored secret is used: so this one page, and for this one
    model, may open connections to another origin.
    """
    model = model_or_404(request, subdomain)
    slug = model.revision.catalogue_slug if model.revision else None
    entry = catalogue.find(slug) if slug else None
    context = {
        "model": model,
        "state": states.view(model, now=timezone.now()),
        "sample": dict(entry.sample) if entry else {},
        "section": "models",
        "tab": "playground",
    }
    response = render(request, "dashboard/playground.html", context)
    address = urlsplit(model.endpoint)
    response._csp_update = {  # type: ignore[attr-defined]
        "connect-src": [f"{address.scheme}://{address.netloc}"]
    }
    return response
