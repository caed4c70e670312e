"""What a model's containers wrote: a page that goes on by itself, and a file to keep."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard import states
from dashboard.forms.logs import LogFilterForm
from dashboard.teams import TeamRequest, member_page, model_or_404
from hosting.logs import reading
from hosting.models import HostedModel, LogLine

SHOWN = 500


@require_GET
@member_page
def log(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Show the newest lines, or those before one; asked for those after one, only these."""
    model = model_or_404(request, subdomain)
    form = LogFilterForm(request.GET, replicas=reading.replicas(model))
    found = reading.lines(model, form.chosen())
    after, before = _line(request, "after"), _line(request, "before")
    if after is not None:
        newer = list(found.filter(pk__gt=after)[:SHOWN])
        return render(request, "dashboard/log_lines.html", {"lines": newer})
    older = found if before is None else found.filter(pk__lt=before)
    lines = reading.last(older, count=SHOWN + 1)
    context = {
        "model": model,
        "state": states.view(model, now=timezone.now()),
        "form": form,
        "lines": lines[-SHOWN:],
        "more": len(lines) > SHOWN,
        "last": _last_id(lines, model),
        "live": before is None and form.is_open_ended(),
        "query": urlencode(form.given()),
        "section": "models",
        "tab": "logs",
    }
    return render(request, "dashboard/logs.html", context)


@require_GET
@member_page
def download(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Hand out the chosen lines as text."""
    model = model_or_404(request, subdomain)
    form = LogFilterForm(request.GET, replicas=reading.replicas(model))
    found = reading.lines(model, form.chosen())
    answer = HttpResponse(
        "".join(as_text(line) for line in found.iterator(2000)),
        content_type="text/plain; charset=utf-8",
    )
    answer["Content-Disposition"] = f'attachment; filename="{model.subdomain}.log"'
    return answer


def as_text(line: LogLine) -> str:
    """One line of the file."""
    moment = line.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f"{moment} r{line.replica_id} {line.stream} {line.text}\n"


def _line(request: TeamRequest, name: str) -> int | None:
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None


def _last_id(lines: list[LogLine], model: HostedModel) -> int:
    """From where the page goes on: what is shown, else what is there."""
    newest = lines[-1] if lines else reading.lines(model).last()
    return newest.pk if newest else 0
