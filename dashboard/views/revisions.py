"""A model's revisions: which runs, which is tried, what they must answer, and going back."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard import revisions, states
from dashboard.forms.running import CanaryForm, DeployForm, GoldenForm, revision_initial
from dashboard.teams import TeamRequest, member_page, model_or_404, writer_page
from hosting import catalogue, queries
from hosting.errors import HostingError
from hosting.lifecycle import golden_requests, operations
from hosting.models import HostedModel, Revision


@require_GET
@member_page
def revision_list(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Show what the model has run, and what is tried now."""
    return _page(request, model_or_404(request, subdomain))


@require_http_methods(["GET", "POST"])
@writer_page
def deploy(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Make a new revision."""
    model = model_or_404(request, subdomain)
    slug = model.revision.catalogue_slug if model.revision else None
    entry = catalogue.find(slug) if slug and "image" not in request.GET else None
    initial = revision_initial(model.revision) if model.revision else {}
    form = DeployForm(
        request.POST or None, entry=entry, current=model.revision, initial=dict(initial)
    )
    if request.method == "POST" and form.is_valid():
        share = form.cleaned_data["canary_share"]
        try:
            made = operations.deploy(
                model, revision=form.spec(), created_by=request.user, canary_share=share
            )
        except HostingError as error:
            form.refuse(error)
        else:
            messages.success(request, _deployed(model, made, share=share))
            return redirect("model-revisions", subdomain=model.subdomain)
    context = {"form": form, "entry": entry, **_about(model)}
    return render(request, "dashboard/deploy.html", context, status=422 if form.errors else 200)


@require_POST
@writer_page
def start_canary(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Try a revision with a share of the queries, or change the share."""
    model = model_or_404(request, subdomain)
    form = CanaryForm(request.POST, model=model)
    if not form.is_valid():
        return _page(request, model, canary_form=form)
    try:
        tried = operations.start_canary(
            model, created_by=request.user, now=timezone.now(), **form.cleaned_data
        )
    except HostingError as error:
        form.refuse(error)
        return _page(request, model, canary_form=form)
    messages.success(
        request,
        f"{tried.revision} takes {tried.share} % of the queries as soon as it is awake."
        if tried.share
        else f"{tried.revision} takes the queries that name it as soon as it is awake.",
    )
    return redirect("model-revisions", subdomain=model.subdomain)


@require_POST
@writer_page
def promote_canary(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Make the canary the current revision."""
    model = model_or_404(request, subdomain)
    try:
        promoted = operations.promote(model, by=request.user, now=timezone.now())
    except HostingError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"{promoted} is the current revision now.")
    return redirect("model-revisions", subdomain=model.subdomain)


@require_POST
@writer_page
def abort_canary(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Give its share back to the current revision."""
    model = model_or_404(request, subdomain)
    try:
        aborted = operations.abort_canary(model, by=request.user, now=timezone.now())
    except HostingError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"{aborted} gets no more queries. {model.revision} has them all.")
    return redirect("model-revisions", subdomain=model.subdomain)


@require_POST
@writer_page
def roll_back(request: TeamRequest, subdomain: str, number: int) -> HttpResponse:
    """Make a revision of the list the current one."""
    model = model_or_404(request, subdomain)
    ask = "unasked" not in request.POST
    try:
        revision = operations.roll_back(model, number=number, by=request.user, ask=ask)
    except HostingError as error:
        raise Http404(error.message) from error
    when = "it answers"
    if queries.golden_requests(model).exists():
        when = "it answers the golden requests" if ask else "it runs, without being asked"
    messages.success(request, f"{revision} is the current revision now. It takes over when {when}.")
    return redirect("model-revisions", subdomain=model.subdomain)


@require_POST
@writer_page
def auto_rollback(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Switch going back by itself on or off."""
    model = model_or_404(request, subdomain)
    wanted = request.POST.get("wanted") == "on"
    operations.change_settings(model, auto_rollback=wanted)
    said = "is called off by itself" if wanted else "stays until somebody calls it off"
    messages.success(request, f"A revision that fails more than the one before it {said}.")
    return redirect("model-revisions", subdomain=model.subdomain)


@require_POST
@writer_page
def keep_golden(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Keep a golden request."""
    model = model_or_404(request, subdomain)
    form = GoldenForm(request.POST)
    if form.is_valid():
        try:
            kept = golden_requests.keep(model, form.sample(), created_by=request.user)
        except HostingError as error:
            form.refuse(error)
        else:
            messages.success(request, f"Kept. Every new revision must answer “{kept}” first.")
            return redirect("model-revisions", subdomain=model.subdomain)
    return _page(request, model, golden_form=form)


@require_POST
@writer_page
def forget_golden(request: TeamRequest, subdomain: str, golden_id: int) -> HttpResponse:
    """Forget a golden request."""
    model = model_or_404(request, subdomain)
    kept = queries.find_golden_request(model, golden_id)
    if kept is None:
        raise Http404("This model has no such golden request.")
    golden_requests.forget(kept)
    messages.success(request, f"“{kept}” is asked no more.")
    return redirect("model-revisions", subdomain=model.subdomain)


def _page(
    request: TeamRequest,
    model: HostedModel,
    *,
    canary_form: CanaryForm | None = None,
    golden_form: GoldenForm | None = None,
) -> HttpResponse:
    refused = canary_form is not None or golden_form is not None
    context = {
        "rows": revisions.rows(model),
        "trial": revisions.on_trial(model, now=timezone.now()),
        "canary": queries.canary(model),
        "canary_form": canary_form or CanaryForm(model=model),
        "golden": queries.golden_requests(model),
        "decisions": queries.decisions(model)[: revisions.DECISIONS_SHOWN],
        "golden_form": golden_form or GoldenForm(),
        **_about(model),
    }
    return render(request, "dashboard/revisions.html", context, status=422 if refused else 200)


def _about(model: HostedModel) -> dict[str, Any]:
    return {
        "model": model,
        "state": states.view(model, now=timezone.now()),
        "section": "models",
        "tab": "revisions",
    }


def _deployed(model: HostedModel, made: Revision, *, share: int | None) -> str:
    if share is None or model.revision_id == made.pk:
        return f"{made} is made. It takes over when it answers; until then the one before does."
    return f"{made} is made. It is tried with {share} % of the queries as soon as it is awake."
