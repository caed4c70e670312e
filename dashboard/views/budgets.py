"""Budgets: of the team, of a model, of a token. Each is set and removed where it is shown."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import budgets as shown
from dashboard.forms.money import BudgetForm
from dashboard.teams import TeamRequest, model_or_404, writer_page
from dashboard.views.billing import billing_page
from dashboard.views.managing import settings_page
from hosting import queries
from hosting.billing import budgets, spending
from hosting.errors import HostingError
from hosting.models import EndpointToken, HostedModel

_SAVED = "Budget saved. It holds from now on."
_REMOVED = "Budget removed. It stops nothing any more."


@require_POST
@writer_page
def save_of_team(request: TeamRequest) -> HttpResponse:
    """Set the team's budget."""
    form = BudgetForm(request.POST)
    if not _save(request, form):
        return billing_page(request, form=form)
    return redirect("billing")


@require_POST
@writer_page
def remove_of_team(request: TeamRequest) -> HttpResponse:
    """Remove the team's budget."""
    _remove(request)
    return redirect("billing")


@require_POST
@writer_page
def save_of_model(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Set a model's budget."""
    model = model_or_404(request, subdomain)
    form = BudgetForm(request.POST)
    if not _save(request, form, model=model):
        return settings_page(request, model, budget=form)
    return redirect("model-settings", subdomain=model.subdomain)


@require_POST
@writer_page
def remove_of_model(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Remove a model's budget."""
    model = model_or_404(request, subdomain)
    _remove(request, model=model)
    return redirect("model-settings", subdomain=model.subdomain)


@require_http_methods(["GET", "POST"])
@writer_page
def of_token(request: TeamRequest, subdomain: str, token_id: int) -> HttpResponse:
    """Show a token's budget, and set it."""
    model = model_or_404(request, subdomain)
    token = _token_or_404(model, token_id)
    if request.method == "GET":
        return _token_page(request, model, token)
    form = BudgetForm(request.POST)
    if not _save(request, form, token=token):
        return _token_page(request, model, token, form=form)
    return redirect("model-tokens", subdomain=model.subdomain)


@require_POST
@writer_page
def remove_of_token(request: TeamRequest, subdomain: str, token_id: int) -> HttpResponse:
    """Remove a token's budget."""
    model = model_or_404(request, subdomain)
    _remove(request, token=_token_or_404(model, token_id))
    return redirect("model-tokens", subdomain=model.subdomain)


def _token_page(
    request: TeamRequest,
    model: HostedModel,
    token: EndpointToken,
    *,
    form: BudgetForm | None = None,
) -> HttpResponse:
    spent = spending.of_month(request.team, now=timezone.now())
    ((_, budget),) = shown.of_tokens([token], spent)
    context = {
        "model": model,
        "token": token,
        "budget": budget,
        "form": form or BudgetForm.of(budget.budget),
        "section": "models",
    }
    dialog = request.htmx and form is None
    template = "dashboard/token_budget_dialog.html" if dialog else "dashboard/token_budget.html"
    return render(request, template, context, status=422 if form else 200)


def _token_or_404(model: HostedModel, token_id: int) -> EndpointToken:
    token = queries.find_token(model, token_id)
    if token is None:
        raise Http404("This token is gone already.")
    return token


def _save(
    request: TeamRequest,
    form: BudgetForm,
    *,
    model: HostedModel | None = None,
    token: EndpointToken | None = None,
) -> bool:
    """Whether it was saved; if not, the form says why."""
    if not form.is_valid():
        return False
    try:
        budgets.set_budget(
            request.team, model=model, token=token, now=timezone.now(), **form.cleaned_data
        )
    except HostingError as error:
        form.refuse(error)
        return False
    messages.success(request, _SAVED)
    return True


def _remove(
    request: TeamRequest, *, model: HostedModel | None = None, token: EndpointToken | None = None
) -> None:
    budget = budgets.find(request.team, model=model, token=token)
    if budget is not None:
        budgets.remove_budget(budget, now=timezone.now())
        messages.success(request, _REMOVED)
