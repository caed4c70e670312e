"""A model's page: overview and activity, and the verbs on it."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from dashboard import overview, states
from dashboard.snippets import Snippet, snippets
from dashboard.teams import TeamRequest, member_page, model_or_404, writer_page
from hosting import catalogue, queries
from hosting.errors import HostingError
from hosting.lifecycle import operations
from hosting.models import HostedModel


@require_GET
@member_page
def page(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Show the model; by htmx only the part that changes."""
    model = model_or_404(request, subdomain)
    chosen = request.GET.get("range", "")
    context = {
        "model": model,
        "live": overview.overview(model, chosen=chosen, now=timezone.now()),
        "ranges": overview.RANGE_WORDS,
        "section": "models",
        "tab": "overview",
    }
    if request.htmx:
        return render(request, "dashboard/model_live.html", context)
    context |= {"snippets": examples(model), "token_count": queries.tokens(model).count()}
    return render(request, "dashboard/model.html", context)


@require_GET
@member_page
def head(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Show name, state and buttons alone: the part that changes on the other tabs."""
    model = model_or_404(request, subdomain)
    context = {"model": model, "state": states.view(model, now=timezone.now())}
    return render(request, "dashboard/model_head_live.html", context)


@require_GET
@member_page
def activity(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Show what happened to the model, and the last words of a container that ended."""
    model = model_or_404(request, subdomain)
    context = {
        "model": model,
        "state": states.view(model, now=timezone.now()),
        "moves": overview.moves(model, limit=50),
        "replica": queries.last_replica(model),
        "replicas": model.replicas.select_related("revision").order_by("-pk")[:10],
        "section": "models",
        "tab": "activity",
    }
    return render(request, "dashboard/activity.html", context)


@require_GET
@member_page
def snippet(request: TeamRequest, subdomain: str) -> HttpResponse:
    """The example code, for the dialog of the list; its own page without script."""
    model = model_or_404(request, subdomain)
    template = "dashboard/snippet_dialog.html" if request.htmx else "dashboard/snippet_page.html"
    context = {"model": model, "snippets": examples(model), "section": "models"}
    return render(request, template, context)


def examples(model: HostedModel, *, token: str | None = None) -> list[Snippet]:
    """Code that calls the model with an input that works."""
    revision = model.revision
    slug = revision.catalogue_slug if revision else None
    entry = catalogue.find(slug) if slug else None
    sample = entry.sample if entry else {}
    return snippets(model.endpoint, sample=sample, public=model.public, token=token)


def _verb(act: Callable[..., Any], said: str) -> Callable[..., Any]:
    """A view that does one thing to a model and goes back to where the button was."""

    @require_POST
    @writer_page
    def view(request: TeamRequest, subdomain: str) -> HttpResponse:
        model = model_or_404(request, subdomain)
        try:
            act(model, by=request.user.email)
        except HostingError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, said.format(model))
        return redirect(back(request, otherwise=model))

    return view


def back(request: HttpRequest, *, otherwise: HostedModel) -> str:
    """The page to return to: only ever one of ours."""
    wanted = request.POST.get("next", "")
    if wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return wanted
    return f"/models/{otherwise.subdomain}/"


def _wake(model: HostedModel, *, by: str) -> None:
    operations.wake(model, cause=by, now=timezone.now())


def _sleep(model: HostedModel, *, by: str) -> None:
    operations.sleep(model, cause=by, now=timezone.now())


def _activate(model: HostedModel, *, by: str) -> None:
    operations.activate(model)


def _deactivate(model: HostedModel, *, by: str) -> None:
    operations.deactivate(model, cause=by, now=timezone.now())


wake = _verb(_wake, "{} is being woken.")
sleep = _verb(_sleep, "{} is being put to sleep. The next request wakes it.")
activate = _verb(_activate, "{} is switched on. The next request wakes it.")
deactivate = _verb(_deactivate, "{} is switched off. Its address answers 404 from now on.")
