"""A model's secrets: set and removed, never shown."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from dashboard import states
from dashboard.forms.access import SecretForm
from dashboard.teams import TeamRequest, member_page, model_or_404, never_stored, writer_page
from hosting import secrets
from hosting.errors import HostingError
from hosting.lifecycle import operations
from hosting.models import HostedModel
from hosting.models.replica import ReplicaStatus

_TAKES_EFFECT = "It takes effect when the model starts the next time."


@require_GET
@member_page
def secret_list(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Show what a model's secrets are called."""
    return _page(request, model_or_404(request, subdomain), SecretForm())


@require_POST
@writer_page
def set_secret(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Set a secret, new or not."""
    model = model_or_404(request, subdomain)
    form = SecretForm(request.POST)
    if form.is_valid():
        try:
            secrets.put(model, by=request.user, now=timezone.now(), **form.cleaned_data)
        except HostingError as error:
            form.refuse(error)
        else:
            messages.success(request, f"Secret {form.cleaned_data['name']} set. {_TAKES_EFFECT}")
            return redirect("model-secrets", subdomain=model.subdomain)
    return _page(request, model, form)


@require_POST
@writer_page
def remove_secret(request: TeamRequest, subdomain: str, name: str) -> HttpResponse:
    """Take a secret away."""
    model = model_or_404(request, subdomain)
    secret = secrets.find_secret(model, name)
    if secret is None:
        raise Http404("This secret is gone already.")
    secrets.remove(secret, now=timezone.now())
    messages.success(request, f"Secret {name} removed. {_TAKES_EFFECT}")
    return redirect("model-secrets", subdomain=model.subdomain)


@require_POST
@writer_page
def restart(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Start what runs anew, without a failed request."""
    model = model_or_404(request, subdomain)
    try:
        revision = operations.redeploy(model, created_by=request.user)
    except HostingError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"{model} is started anew as {revision}. No request fails by it.")
    return redirect("model-secrets", subdomain=model.subdomain)


def _page(request: TeamRequest, model: HostedModel, form: SecretForm) -> HttpResponse:
    found = list(secrets.secrets_of(model))
    running = model.replicas.exclude(status=ReplicaStatus.GONE).order_by("created_at").first()
    changed = secrets.last_change(model)
    context = {
        "model": model,
        "state": states.view(model, now=timezone.now()),
        "secrets": found,
        "form": form,
        "stale": running is not None and changed is not None and changed > running.created_at,
        "section": "models",
        "tab": "secrets",
    }
    status = 422 if form.errors else 200
    return never_stored(render(request, "dashboard/model_secrets.html", context, status=status))
