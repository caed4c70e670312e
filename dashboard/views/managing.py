"""Settings, new revisions, deletion."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import states
from dashboard.forms import DeleteForm, RunsForm, SettingsForm, revision_initial
from dashboard.rows import titles, what_runs
from dashboard.teams import TeamRequest, member_page, model_or_404, writer_page
from hosting import catalogue, queries
from hosting.errors import HostingError
from hosting.lifecycle import operations
from hosting.models import HostedModel


@require_http_methods(["GET"])
@member_page
def settings(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Show a model's settings."""
    model = model_or_404(request, subdomain)
    return _settings_page(request, model, SettingsForm.of(model))


@require_http_methods(["POST"])
@writer_page
def change_settings(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Change a model's settings."""
    model = model_or_404(request, subdomain)
    form = SettingsForm(request.POST)
    if not form.is_valid():
        return _settings_page(request, model, form)
    data = form.cleaned_data
    public = data.pop("visibility") == "public"
    try:
        operations.change_settings(model, public=public, **data)
    except HostingError as error:
        form.refuse(error)
        return _settings_page(request, model, form)
    messages.success(request, "Settings saved. They hold from the next request on.")
    return redirect("model-settings", subdomain=model.subdomain)


@require_http_methods(["GET", "POST"])
@writer_page
def deploy(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Make a new revision."""
    model = model_or_404(request, subdomain)
    slug = model.revision.catalogue_slug if model.revision else None
    entry = catalogue.find(slug) if slug and "image" not in request.GET else None
    initial = revision_initial(model.revision) if model.revision else {}
    form = RunsForm(request.POST or None, entry=entry, initial=dict(initial))
    if request.method == "POST" and form.is_valid():
        try:
            made = operations.deploy(model, revision=form.spec(), created_by=request.user)
        except HostingError as error:
            form.refuse(error)
        else:
            messages.success(
                request, f"Revision {made} is ready. It is used from the next wake on."
            )
            return redirect("model-settings", subdomain=model.subdomain)
    context = {
        "form": form,
        "entry": entry,
        "model": model,
        "state": states.view(model, now=timezone.now()),
        "section": "models",
        "tab": "settings",
    }
    return render(request, "dashboard/deploy.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@writer_page
def delete(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Delete a model, once its name is typed, by somebody who has signed in lately."""
    answer: HttpResponse = _delete(request, model_or_404(request, subdomain))
    return answer


@reauthentication_required  # type: ignore[untyped-decorator]
def _delete(request: TeamRequest, model: HostedModel) -> HttpResponse:
    form = DeleteForm(request.POST or None, subdomain=model.subdomain)
    if request.method == "POST" and form.is_valid():
        operations.delete_model(model, cause=request.user.email, now=timezone.now())
        messages.success(request, f"{model} is deleted. Its address answers 404 from now on.")
        return redirect("models")
    context = {
        "form": form,
        "model": model,
        "tokens": queries.tokens(model).count(),
        "section": "models",
    }
    return render(request, "dashboard/delete.html", context, status=422 if form.errors else 200)


def _settings_page(request: TeamRequest, model: HostedModel, form: SettingsForm) -> HttpResponse:
    context = {
        "form": form,
        "model": model,
        "state": states.view(model, now=timezone.now()),
        "runs": what_runs(model.revision, titles=titles()),
        "revisions": queries.revisions(model)[:10],
        "section": "models",
        "tab": "settings",
    }
    return render(request, "dashboard/settings.html", context, status=422 if form.errors else 200)
