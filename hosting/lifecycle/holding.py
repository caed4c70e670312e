"""For which models the network is kept while they sleep: those that were used last.

A wake then takes less than half the time. A holder costs 3 MB, and so their number is bounded.
"""

from datetime import datetime, timedelta

from django.conf import settings

from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel
from hosting.states import State

USED_WITHIN = timedelta(days=1)


def key(model: HostedModel) -> str:
    """What its holder is known by: never another model's, whatever names are given to whom."""
    return f"m{model.pk}"


def hold(*, tools: Tools) -> None:
    """Have the runtime keep what is worth it, and let go of the rest."""
    tools.runtime.hold([key(model) for model in _used_last(now=tools.clock.now())])


def _used_last(*, now: datetime) -> list[HostedModel]:
    """Those that are not asleep, which may be using one, then those that fell asleep last."""
    # Holders are on the network that leads nowhere: who may go out does not join them.
    there = HostedModel.objects.filter(deleted_at=None, active=True, revision__internet=False)
    up = list(there.exclude(state__in=[State.ASLEEP, State.FAILED]))
    lately = there.filter(state=State.ASLEEP, state_changed_at__gte=now - USED_WITHIN)
    # A model that was only just made was never used: it has no transition yet.
    used = lately.filter(transitions__isnull=False).distinct().order_by("-state_changed_at")
    return [*up, *used[: settings.HOLDERS]] if settings.HOLDERS else []
