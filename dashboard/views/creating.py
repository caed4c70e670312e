"""Hosting a model: choose what runs, name it, see its token once."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods

from dashboard.forms.running import CreateForm
from dashboard.snippets import snippets
from dashboard.teams import TeamRequest, member_page, never_stored, writer_page
from hosting import catalogue, subdomains
from hosting.catalogue import CatalogueEntry
from hosting.errors import HostingError
from hosting.lifecycle import operations
from hosting.lifecycle.operations import Created

OWN_IMAGE = "image"


@require_GET
@writer_page
def choose(request: TeamRequest) -> HttpResponse:
    """Offer the catalogue, and an image of one's own."""
    entries = [entry for entry in catalogue.entries() if not entry.hidden]
    return render(request, "dashboard/choose.html", {"entries": entries, "section": "models"})


@require_http_methods(["GET", "POST"])
@writer_page
def create(request: TeamRequest, source: str) -> HttpResponse:
    """Ask for the rest and create the model; the answer shows its first token, once."""
    entry = _entry(source)
    suggested = subdomains.suggestions(source, team=request.team)[:1] if entry else []
    form = CreateForm(request.POST or None, entry=entry, initial={"subdomain": "".join(suggested)})
    if request.method == "POST" and form.is_valid():
        try:
            return _created(request, _create(request, form), entry)
        except HostingError as error:
            form.refuse(error)
    context: dict[str, Any] = {"form": form, "entry": entry, "section": "models"}
    if "subdomain" in form.errors:
        context["verdict"] = _verdict(request, form["subdomain"].value() or "")
    return render(request, "dashboard/create.html", context, status=422 if form.errors else 200)


@require_GET
@member_page
def check_subdomain(request: TeamRequest) -> HttpResponse:
    """Say whether a name is free, and propose three that are."""
    name = request.GET.get("subdomain", "").strip().lower()[:80]
    return render(request, "dashboard/verdict.html", {"verdict": _verdict(request, name)})


@require_GET
@member_page
def picture(request: TeamRequest, slug: str) -> HttpResponse:
    """The picture of a catalogue entry."""
    entry = catalogue.find(slug)
    if entry is None or entry.picture is None:
        raise Http404("This catalogue entry has no picture.")
    response = HttpResponse(entry.picture, content_type="image/svg+xml")
    response["Cache-Control"] = "private, max-age=3600"
    return response


def _entry(source: str) -> CatalogueEntry | None:
    if source == OWN_IMAGE:
        return None
    entry = catalogue.find(source)
    if entry is None:
        raise Http404(f"The catalogue has no “{source}”.")
    return entry


def _create(request: TeamRequest, form: CreateForm) -> Created:
    data = form.cleaned_data
    return operations.create_model(
        request.team,
        subdomain=data["subdomain"],
        revision=form.spec(),
        public=data["visibility"] == "public",
        description=data["description"],
        created_by=request.user,
        idle_timeout_seconds=data["idle_timeout_seconds"],
    )


def _created(request: TeamRequest, created: Created, entry: CatalogueEntry | None) -> HttpResponse:
    model = created.model
    examples = snippets(
        model.endpoint,
        sample=entry.sample if entry else {},
        public=model.public,
        token=created.secret,
    )
    context = {
        "model": model,
        "token": created.token,
        "secret": created.secret,
        "snippets": examples,
        "section": "models",
    }
    return never_stored(render(request, "dashboard/created.html", context, status=201))


def _verdict(request: TeamRequest, name: str) -> dict[str, Any]:
    if not name:
        return {}
    availability = subdomains.check(name, team=request.team)
    proposals = [] if availability.free else subdomains.suggestions(name, team=request.team)
    return {"availability": availability, "suggestions": proposals}
