"""What the ledger and the wakes say together: who waited for a wake, and where its time went."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median, quantiles

from django.db import connection

from hosting.models import HostedModel, Wake
from hosting.models.wake import WakeOutcome

PHASES = ("taken", "prepared", "started", "listening", "ended")
MOST_WAKES = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """Those who waited for one wake."""

    requests: int = 0
    counted: int = 0  # what is billed of them: the wake itself costs nothing
    first_in_at: datetime | None = None  # when the first of them went to the model


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a wake, by the moment that ends it."""

    name: str
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Usual:
    """How long one part usually takes, in seconds."""

    name: str
    median: float
    slow: float  # nine in ten are faster


@dataclass(frozen=True, slots=True)
class Times:
    """How the wakes of a window went. The parts are of those that started a container."""

    woken: int
    resumed: int
    failed: int
    phases: Sequence[Usual]


# A cold request that came between the asking and a moment after the end, until the routers knew; of
# the next wake it is one as soon as somebody has asked for that.
_WAITING = """
SELECT wake.id, count(*), count(*) FILTER (WHERE record.counted),
    min(record.arrived_at + record.held_ms * interval '1 millisecond')
        FILTER (WHERE record.outcome IN ('ok', 'model_error'))
FROM hosting_wake wake
JOIN hosting_usagerecord record ON record.model_id = wake.model_id AND record.cold
    AND record.arrived_at >= wake.asked_at - interval '1 millisecond'
    AND record.arrived_at <= wake.ended_at + interval '1 second'
    AND NOT EXISTS (
        SELECT FROM hosting_wake later
        WHERE later.model_id = wake.model_id AND later.ended_at > wake.ended_at
            AND later.asked_at - interval '1 millisecond' <= record.arrived_at
    )
WHERE wake.id = ANY(%s)
GROUP BY wake.id
"""


def waiting(wakes: Iterable[Wake]) -> dict[int, Waiting]:
    """Who waited for each wake, by its id; as far as the ledger still has their requests."""
    ids = [wake.pk for wake in wakes]
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [ids])
        found = {row[0]: Waiting(*row[1:]) for row in cursor.fetchall()}
    return {wake_id: found.get(wake_id, Waiting()) for wake_id in ids}


def phases(wake: Wake, waited: Waiting | None = None) -> list[Phase]:
    """The parts of one wake, in order; with the ledger's word, up to the first request let in."""
    moments = wake.moments
    if waited is not None and waited.first_in_at is not None:
        moments.append(("let_in", max(waited.first_in_at, wake.ended_at)))
    return [Phase(name, start, max(start, end)) for (_, start), (name, end) in pairwise(moments)]


def times(model: HostedModel, *, since: datetime, until: datetime) -> Times:
    """How often it woke in the window, and how long each part usually took; the last 500 count."""
    found = list(
        Wake.objects.filter(model=model, ended_at__gte=since, ended_at__lt=until)[:MOST_WAKES]
    )
    woken = [wake for wake in found if wake.outcome == WakeOutcome.AWAKE]
    started = [phases(wake) for wake in woken if not wake.resumed]
    return Times(
        woken=len(woken),
        resumed=sum(wake.resumed for wake in woken),
        failed=sum(wake.outcome == WakeOutcome.FAILED for wake in found),
        phases=[_usual(name, started) for name in PHASES] if started else [],
    )


def _usual(name: str, wakes: Sequence[Sequence[Phase]]) -> Usual:
    seconds = [phase.seconds for wake in wakes for phase in wake if phase.name == name] or [0.0]
    slow = quantiles(seconds, n=10, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return Usual(name, median(seconds), slow)
