"""Endpoint tokens and API keys: issued once, revoked for good."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import operations as accounts
from accounts.models import ApiKey
from accounts.queries import api_keys
from dashboard import budgets, states
from dashboard.forms.access import ApiKeyForm, TokenForm
from dashboard.teams import TeamRequest, member_page, model_or_404, never_stored, writer_page
from dashboard.views.model import examples
from hosting import queries, tokens
from hosting.billing import spending
from hosting.errors import HostingError
from hosting.models import EndpointToken, HostedModel


@require_GET
@member_page
def token_list(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Show a model's tokens."""
    return _tokens_page(request, model_or_404(request, subdomain), TokenForm())


@require_POST
@writer_page
def issue_token(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Issue a token; the answer shows it, once."""
    model = model_or_404(request, subdomain)
    form = TokenForm(request.POST)
    if form.is_valid():
        try:
            _, secret = tokens.issue(model, created_by=request.user, **form.cleaned_data)
        except HostingError as error:
            form.refuse(error)
        else:
            return _tokens_page(request, model, TokenForm(), secret=secret)
    return _tokens_page(request, model, form)


@require_POST
@writer_page
def let_token_wake(request: TeamRequest, subdomain: str, token_id: int) -> HttpResponse:
    """Let a token wake its model, or not any more."""
    model = model_or_404(request, subdomain)
    token = queries.find_token(model, token_id)
    if token is None:
        raise Http404("This token is gone already.")
    allowed = request.POST.get("may_wake") == "yes"
    tokens.change(token, may_wake=allowed)
    said = "may wake" if allowed else "no longer wakes"
    messages.success(request, f"Token “{token.label}” {said} {model}.")
    return redirect("model-tokens", subdomain=model.subdomain)


@require_http_methods(["GET", "POST"])
@writer_page
def revoke_token(request: TeamRequest, subdomain: str, token_id: int) -> HttpResponse:
    """Ask, then revoke."""
    model = model_or_404(request, subdomain)
    token = queries.find_token(model, token_id)
    if token is None:
        raise Http404("This token is gone already.")
    if request.method == "GET":
        return _ask(request, token, model)
    tokens.revoke(token, now=timezone.now())
    messages.success(request, f"Token “{token.label}” revoked. Calls with it fail from now on.")
    return redirect("model-tokens", subdomain=model.subdomain)


@require_GET
@member_page
def key_list(request: TeamRequest) -> HttpResponse:
    """Show the team's API keys."""
    return _keys_page(request, ApiKeyForm())


@require_POST
@writer_page
def issue_key(request: TeamRequest) -> HttpResponse:
    """Issue an API key; the answer shows it, once."""
    form = ApiKeyForm(request.POST)
    if not form.is_valid():
        return _keys_page(request, form)
    _, secret = accounts.issue_api_key(request.membership, name=form.cleaned_data["name"])
    return _keys_page(request, ApiKeyForm(), secret=secret)


@require_http_methods(["GET", "POST"])
@writer_page
def revoke_key(request: TeamRequest, key_id: int) -> HttpResponse:
    """Ask, then revoke."""
    key = api_keys(request.team).filter(pk=key_id).first()
    if key is None:
        raise Http404("This key is gone already.")
    if request.method == "GET":
        return _ask(request, key, None)
    accounts.revoke_api_key(key, now=timezone.now())
    messages.success(request, f"API key “{key.name}” revoked. Calls with it fail from now on.")
    return redirect("api-keys")


def _ask(
    request: TeamRequest, secret: EndpointToken | ApiKey, model: HostedModel | None
) -> HttpResponse:
    context = {
        "secret": secret,
        "name": secret.label if isinstance(secret, EndpointToken) else secret.name,
        "model": model,
        "section": "models" if model else "api-keys",
    }
    template = "dashboard/revoke_dialog.html" if request.htmx else "dashboard/revoke.html"
    return render(request, template, context)


def _tokens_page(
    request: TeamRequest, model: HostedModel, form: TokenForm, *, secret: str = ""
) -> HttpResponse:
    now = timezone.now()
    spent = spending.of_month(request.team, now=now)
    context = {
        "model": model,
        "state": states.view(model, now=now),
        "tokens": budgets.of_tokens(queries.tokens(model), spent),
        "form": form,
        "secret": secret,
        "snippets": examples(model, token=secret) if secret else [],
        "section": "models",
        "tab": "tokens",
    }
    status = 422 if form.errors else 201 if secret else 200
    return never_stored(render(request, "dashboard/tokens.html", context, status=status))


def _keys_page(request: TeamRequest, form: ApiKeyForm, *, secret: str = "") -> HttpResponse:
    context = {
        "keys": api_keys(request.team),
        "form": form,
        "secret": secret,
        "section": "api-keys",
    }
    status = 422 if form.errors else 201 if secret else 200
    return never_stored(render(request, "dashboard/api_keys.html", context, status=status))
