"""Whether a model is in one of its warm windows."""

from datetime import datetime

from hosting.lifecycle import warm_windows
from hosting.models import HostedModel


def since(model: HostedModel, *, now: datetime) -> datetime | None:
    """When the window opened that keeps it awake now; None when none does.

    It opens a slow wake early, so that the model is awake when its hours begin.
    """
    if not model.warm_windows:
        return None
    revision = model.revision
    return warm_windows.open_since(
        model.warm_windows,
        time_zone=model.time_zone,
        now=now,
        lead_seconds=(revision.slow_wake_seconds or 0.0) if revision else 0.0,
    )
