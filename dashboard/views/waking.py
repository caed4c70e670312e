"""A model's wakes: who asked, what took how long, and whether it should sleep sooner or later."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from dashboard import simulated, states, times, waterfall
from dashboard.teams import TeamRequest, member_page, model_or_404, writer_page
from hosting import queries
from hosting.billing import spending
from hosting.errors import HostingError
from hosting.lifecycle import operations
from hosting.metering import sleeping
from hosting.metering import wakes as metering

LISTED = 25
WINDOW = timedelta(days=30)


@require_GET
@member_page
def wakes(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Show a model's wakes, one of them step by step, and other idle timeouts."""
    model = model_or_404(request, subdomain)
    now, asked = timezone.now(), request.GET.get("wake", "")
    last = list(queries.wakes(model)[:LISTED])
    waited = metering.waiting(last)
    prices = spending.list_prices(model.team, at=now)
    views = waterfall.views(
        last,
        waited=waited,
        costs={each: prices.of_requests(model.pk, said.counted) for each, said in waited.items()},
    )
    lately = metering.times(model, since=now - WINDOW, until=now)
    simulation = sleeping.simulate(model, now=now)
    context = {
        "model": model,
        "state": states.view(model, now=now),
        "usual": model.revision.wake_seconds if model.revision else None,
        "slow": model.revision.slow_wake_seconds if model.revision else None,
        "times": lately,
        "usual_bars": waterfall.usual_bars(lately.phases),
        "wakes": views,
        "newest": last[0].pk if last else None,
        "shown": next((each for each in views if str(each.wake.pk) == asked), None)
        or (views[0] if views else None),
        "currency": prices.currency,
        "simulation": simulation,
        "simulated": simulated.lines(simulation),
        "section": "models",
        "tab": "wakes",
    }
    return render(request, "dashboard/wakes.html", context)


@require_POST
@writer_page
def use_timeout(request: TeamRequest, subdomain: str) -> HttpResponse:
    """Use one of the compared idle timeouts from now on."""
    model = model_or_404(request, subdomain)
    chosen = request.POST.get("idle_timeout_seconds", "")
    try:
        if chosen == simulated.NEVER:
            operations.change_settings(model, min_replicas=1)
            said = f"{model} never sleeps from now on."
        else:
            seconds = int(chosen) if chosen.isascii() and chosen.isdigit() else 0
            operations.change_settings(model, idle_timeout_seconds=seconds, min_replicas=0)
            said = f"{model} sleeps after {times.lasting(seconds)} of quiet from now on."
    except HostingError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, said)
    return redirect("model-wakes", subdomain=model.subdomain)
