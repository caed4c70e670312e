"""Settings, deletion."""

from zoneinfo import available_timezones

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import budgets, states
from dashboard.forms.behaviour import DeleteForm, SettingsForm, WakingForm, WarmWindowsForm
from dashboard.forms.money import BudgetForm
from dashboard.forms.page import PageForm
from dashboard.teams import TeamRequest, member_page, model_or_404, writer_page
from hosting import queries
from hosting.billing import spending
from hosting.errors import HostingError
from hosting.lifecycle import operations
from hosting.models import HostedModel


@require_http_methods(["GET"])
@member_page
def settings(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Show a model's settings."""
    model = model_or_404(request, subdomain)
    return settings_page(request, model)


@require_http_methods(["POST"])
@writer_page
def change_settings(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Change a model's settings."""
    model = model_or_404(request, subdomain)
    form = SettingsForm(request.POST)
    if not form.is_valid():
        return settings_page(request, model, form=form)
    data = form.cleaned_data
    public = data.pop("visibility") == "public"
    try:
        operations.change_settings(model, public=public, **data)
    except HostingError as error:
        form.refuse(error)
        return settings_page(request, model, form=form)
    messages.success(request, "Settings saved. They hold from the next request on.")
    return redirect("model-settings", subdomain=model.subdomain)


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


@require_http_methods(["POST"])
@writer_page
def change_waking(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Change which requests may wake a model."""
    model = model_or_404(request, subdomain)
    form = WakingForm(request.POST)
    said = "Saved. Only these requests wake it from now on."
    return _changed(request, model, form, said=said, waking=form)


@require_http_methods(["POST"])
@writer_page
def change_warm_windows(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Change in which hours a model is kept awake."""
    model = model_or_404(request, subdomain)
    form = WarmWindowsForm(request.POST)
    return _changed(request, model, form, said="Saved. It is kept awake in these hours.", warm=form)


def _changed(
    request: TeamRequest, model: HostedModel, form: PageForm, *, said: str, **forms: PageForm
) -> HttpResponse:
    """Write what one form of the page says, or show the page with what is wrong."""
    if form.is_valid():
        try:
            operations.change_settings(model, **form.cleaned_data)
        except HostingError as error:
            form.refuse(error)
        else:
            messages.success(request, said)
            return redirect("model-settings", subdomain=model.subdomain)
    return settings_page(request, model, **forms)


def settings_page(
    request: TeamRequest,
    model: HostedModel,
    *,
    form: PageForm | None = None,
    waking: PageForm | None = None,
    warm: PageForm | None = None,
    budget: PageForm | None = None,
) -> HttpResponse:
    """The page, with the form that was refused, if one was."""
    refused = form or waking or warm or budget
    now = timezone.now()
    money = budgets.of_model(model, spending.of_month(request.team, now=now))
    context = {
        "form": form or SettingsForm.of(model),
        "waking": waking or WakingForm.of(model),
        "warm": warm or WarmWindowsForm.of(model),
        "budget": money,
        "budget_form": budget or BudgetForm.of(money.budget),
        "zones": sorted(available_timezones()),
        "model": model,
        "state": states.view(model, now=now),
        "section": "models",
        "tab": "settings",
    }
    return render(request, "dashboard/settings.html", context, status=422 if refused else 200)
