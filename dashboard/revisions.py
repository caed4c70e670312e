"""What the page of a model's revisions shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.rows import titles, what_runs
from dashboard.templatetags.dormouse import memory
from hosting import queries
from hosting.lifecycle.error_rates import Tally
from hosting.lifecycle.trials import trial_of
from hosting.models import HostedModel, Revision

SHOWN = 50
DECISIONS_SHOWN = 20
LOOKS = {
    "current": ("Current", "ok"),
    "canary": ("Canary", "open"),
    "pinned": ("Awake by its address", "draft"),
    "rejected": ("Called off", "bad"),
    "served": ("Served before", "draft"),
    "new": ("Never served", "draft"),
}
# Fields of a revision in the words of the form; values of some are nobody's business.
FIELDS = {
    "image": "Image",
    "protocol": "Protocol",
    "command": "Command",
    "memory_mb": "Memory",
    "cpus": "CPUs",
    "gpus": "GPUs",
    "concurrency": "Requests at once",
    "internet": "Internet",
    "port": "Port",
    "query_path": "Query path",
    "health_path": "Health path",
    "info_path": "Info path",
    "options": "Options",
    "arguments": "Arguments",
    "environment": "Environment",
}
_BY_NAME_ONLY = ("options", "arguments", "environment")


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs from the revision before."""

    field: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Row:
    """One revision of the list."""

    revision: Revision
    runs: str
    word: str
    css: str
    changes: Sequence[Change]
    first: bool

    @property
    def may_become_current(self) -> bool:
        """Whether somebody may want to go (back) to it."""
        return self.revision.use not in ("current", "canary")


@dataclass(frozen=True, slots=True)
class OnTrial:
    """A revision that has to prove itself, and how it does."""

    revision: Revision
    before: Revision
    since: datetime
    share: int | None  # a canary's
    new: Tally
    old: Tally


def rows(model: HostedModel) -> list[Row]:
    """The newest revisions, each with what changed against the one before it."""
    found = list(queries.revisions(model)[: SHOWN + 1])
    names = titles()
    return [
        _row(revision, before, names=names)
        for revision, before in zip(found, [*found[1:], None], strict=True)
    ][:SHOWN]


def on_trial(model: HostedModel, *, now: datetime) -> OnTrial | None:
    """What is on trial now, with the figures it is judged by."""
    trial = trial_of(model, now=now)
    if trial is None:
        return None
    new, old = trial.tallies(now=now)
    return OnTrial(trial.revision, trial.before, trial.since, trial.share, new, old)


def changes(revision: Revision, before: Revision) -> list[Change]:
    """What differs between two revisions, in the order of the form."""
    return [
        _change(name, getattr(before, name), getattr(revision, name))
        for name in FIELDS
        if getattr(before, name) != getattr(revision, name)
    ]


def _row(revision: Revision, before: Revision | None, *, names: dict[str, str]) -> Row:
    word, css = LOOKS[revision.use]
    if revision.share is not None:
        word = f"{word}, {revision.share} %" if revision.share else f"{word}, by header"
    return Row(
        revision=revision,
        runs=what_runs(revision, titles=names),
        word=word,
        css=css,
        changes=[] if before is None else changes(revision, before),
        first=before is None,
    )


def _change(name: str, before: Any, now: Any) -> Change:
    if name in _BY_NAME_ONLY:
        return Change(FIELDS[name], "", _names(before, now))
    return Change(FIELDS[name], _shown(name, before), _shown(name, now))


def _names(before: Any, now: Any) -> str:
    """Which entries differ; the values may be secrets, or long."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return "changed"
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return ", ".join(names)


def _shown(name: str, value: Any) -> str:
    if value in (None, ""):
        return "the default"
    if name == "internet":
        return "yes" if value else "no"
    if name == "memory_mb":
        return memory(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
