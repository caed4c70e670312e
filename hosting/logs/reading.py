"""Reads of a model's log, for the pages, the API and the command line."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from hosting.models import HostedModel, LogLine, Replica


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines; what is None or empty does not matter."""

    replica: int | None = None
    stream: str = ""
    since: datetime | None = None
    until: datetime | None = None
    search: str = ""


EVERYTHING = Filter()


def lines(model: HostedModel, chosen: Filter = EVERYTHING) -> QuerySet[LogLine]:
    """The model's lines, oldest first."""
    found = LogLine.objects.filter(model=model)
    if chosen.replica is not None:
        found = found.filter(replica_id=chosen.replica)
    if chosen.stream:
        found = found.filter(stream=chosen.stream)
    if chosen.since is not None:
        found = found.filter(at__gte=chosen.since)
    if chosen.until is not None:
        found = found.filter(at__lt=chosen.until)
    if chosen.search:
        found = found.filter(text__icontains=chosen.search)
    return found.order_by("pk")


def last(found: QuerySet[LogLine], *, count: int) -> list[LogLine]:
    """The newest so many of them, oldest first."""
    return list(found.order_by("-pk")[:count])[::-1]


def last_words(replica: Replica, *, count: int) -> str:
    """What a replica wrote last, as one text."""
    found = LogLine.objects.filter(replica=replica)
    return "".join(f"{line.text}\n" for line in last(found, count=count))


def replicas(model: HostedModel) -> QuerySet[Replica]:
    """The replicas of which lines are left, newest first."""
    return model.replicas.filter(log__kept_bytes__gt=0).order_by("-pk")
