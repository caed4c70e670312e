"""What the team's models did, how fast, for whom; and all of it as a file."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard.sparkline import HEADROOM, HEIGHT, WIDTH, bars
from dashboard.teams import TeamRequest, member_page
from hosting.api.streams import LinesResponse
from hosting.billing import proof, unconfirmed
from hosting.metering import export as files
from hosting.metering import statistics
from hosting.metering.queries import Point
from hosting.models import EndpointToken, HostedModel, Revision

WINDOWS = {
    "1h": ("1 hour", timedelta(hours=1)),
    "24h": ("24 hours", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
    "12m": ("12 months", timedelta(days=365)),
}
DIMENSIONS = {"model": "Model", "status": "Status", "token": "Token", "revision": "Revision"}
_UTC = "UTC"


@require_GET
@member_page
def usage(request: TeamRequest) -> HttpResponse:
    """Show figures of the chosen window, split as chosen."""
    window = _choice(request, "window", WINDOWS, "7d")
    dimension = _choice(request, "by", DIMENSIONS, "model")
    zone = _zone(request.GET.get("zone", _UTC))
    names = dict(HostedModel.objects.filter(team=request.team).values_list("pk", "subdomain"))
    since, until = _span(window)
    step = "hour" if window in ("1h", "24h") else "day" if window != "12m" else "month"
    points = statistics.series_in_zone(
        list(names),
        since=since,
        until=until,
        step=step,
        zone=zone or _UTC,
    )
    series = [Point(at.astimezone(ZoneInfo(zone or _UTC)), *rest) for at, *rest in points]
    return render(
        request,
        "dashboard/usage.html",
        {
            "section": "usage",
            "window": window,
            "windows": [(key, words) for key, (words, _) in WINDOWS.items()],
            "dimension": dimension,
            "dimensions": list(DIMENSIONS.items()),
            "zone": zone or request.GET.get("zone", ""),
            "zone_unknown": zone is None,
            "total": statistics.summary(list(names), since=since, until=until),
            "rows": _rows(dimension, names, since=since, until=until),
            "points": series,
            "bars": bars(series),
            "moment": "j M, H:i" if step == "hour" else "j M Y",
            "peak": max((point.requests for point in series), default=0),
            "wakes": _wakes(names, since=since, until=until),
            "view_box": f"0 {HEADROOM} {WIDTH} {HEIGHT - HEADROOM}",
            "mark": proof.mark_of(request.team),
            "unconfirmed": unconfirmed.of_team(request.team).filter(settled_at=None).count(),
        },
    )


@require_GET
@member_page
def export(request: TeamRequest, kind: str) -> LinesResponse:
    """Hand out every request of the window, or with `by` its figures, as CSV or JSON lines."""
    window = _choice(request, "window", WINDOWS, "7d")
    since, until = _span(window)
    models = list(HostedModel.objects.filter(team=request.team).values_list("pk", flat=True))
    dimension = _choice(request, "by", DIMENSIONS, "")
    columns: tuple[str, ...] = files.REQUEST
    rows = statistics.records(models, since=since, until=until)
    if dimension:
        columns = (dimension, *files.FIGURES)
        rows = files.figures(dimension, models, since=since, until=until)
    answer = LinesResponse(
        files.lines(rows, kind=kind, columns=columns), content_type=files.FORMATS[kind]
    )
    name = f"usage-by-{dimension}-{window}" if dimension else f"requests-{window}"
    answer["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return answer


def _rows(
    dimension: str, names: dict[int, str], *, since: datetime, until: datetime
) -> list[tuple[str, statistics.Row]]:
    models = list(names)
    if dimension == "model":
        found = statistics.by("model", models, since=since, until=until)
        labels = names
    else:
        found = statistics.by(dimension, models, since=since, until=until)
        labels = _labels(dimension, [row.key for row in found])
    return [(labels.get(row.key, str(row.key)), row) for row in found]


def _wakes(
    names: dict[int, str], *, since: datetime, until: datetime
) -> list[tuple[str, statistics.Wakes]]:
    """How waking went, for the models that woke; the most often woken first."""
    found = statistics.wakes_of_many(list(names), since=since, until=until)
    tried = {model_id: wakes for model_id, wakes in found.items() if wakes.count or wakes.failed}
    rows = [(names[model_id], wakes) for model_id, wakes in tried.items()]
    return sorted(rows, key=lambda row: (-row[1].count, row[0]))


def _labels(dimension: str, keys: list[int]) -> dict[int, str]:
    if dimension == "token":
        # Tokens of several models may have the same name.
        known = EndpointToken.objects.filter(pk__in=keys).select_related("model")
        return {
            0: "Without a token",
            **{each.pk: f"{each.label} of {each.model}" for each in known},
        }
    if dimension == "revision":
        revisions = Revision.objects.filter(pk__in=keys).select_related(None)
        return {each.pk: f"{each.image} ({each.pk})" for each in revisions}
    return {0: "No answer"}


def _span(window: str) -> tuple[datetime, datetime]:
    until = timezone.now()
    since = until - WINDOWS[window][1]
    return since.replace(minute=0, second=0, microsecond=0), until


def _choice(request: TeamRequest, name: str, choices: dict[str, Any], default: str) -> str:
    chosen = request.GET.get(name, default)
    return chosen if chosen in choices else default


def _zone(name: str) -> str | None:
    """The name when there is such a time zone."""
    try:
        ZoneInfo(name or _UTC)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return name or _UTC
