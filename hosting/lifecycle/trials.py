"""Revisions on trial: called off by themselves when they fail more than the one before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from hosting.lifecycle import revisions
from hosting.lifecycle.error_rates import Tally, jumped
from hosting.models import HostedModel, Revision, Target

AFTER_A_DEPLOY = timedelta(minutes=15)
BEFORE_IT = timedelta(days=1)
NEWEST = 5_000  # so many requests are looked at, however many there were

# What a revision was asked and did answer, or should have.
_COUNT = """
SELECT revision_id, count(*), count(*) FILTER (WHERE outcome <> 'ok')
FROM (
    SELECT revision_id, outcome FROM hosting_usagerecord
    WHERE model_id = %s AND arrived_at >= %s AND arrived_at < %s AND route IN ('query', 'other')
        AND (outcome IN ('ok', 'model_error') OR (outcome = 'timeout' AND model_ms > 0))
    ORDER BY arrived_at DESC
    LIMIT %s
) AS newest
GROUP BY revision_id
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """A revision that has to prove itself since then, against another."""

    model: HostedModel
    revision: Revision
    before: Revision
    since: datetime
    share: int | None = None  # a canary's

    def tallies(self, *, now: datetime) -> tuple[Tally, Tally]:
        """What the ledger says of the revision, and of the one before it."""
        since = _tallies(self.model, since=self.since, until=now)
        earlier = _tallies(self.model, since=self.since - BEFORE_IT, until=self.since)
        new = since.get(self.revision.pk, Tally())
        before = [each.get(self.before.pk, Tally()) for each in (since, earlier)]
        return new, before[0] + before[1]


def call_off_failing(*, now: datetime) -> int:
    """Look at every revision on trial; returns how many were called off."""
    return sum(_call_off_if_failing(trial, now=now) for trial in _trials(now))


def trial_of(model: HostedModel, *, now: datetime) -> Trial | None:
    """What is on trial: the canary, else a revision that became the current one lately."""
    canary = (
        Target.objects.filter(model=model, share__isnull=False).select_related("revision").first()
    )
    if canary is not None and model.revision is not None:
        return Trial(model, canary.revision, model.revision, canary.asked_at, canary.share)
    revision, before, since = model.revision, model.previous_revision, model.revision_changed_at
    if revision is None or before is None or since is None or now - since > AFTER_A_DEPLOY:
        return None
    # Who went back did so for a reason.
    forward = revision.number > before.number and before.rejected_at is None
    return Trial(model, revision, before, since) if forward else None


def _trials(now: datetime) -> Iterator[Trial]:
    watched = HostedModel.objects.filter(deleted_at=None, auto_rollback=True).select_related(
        "revision", "previous_revision"
    )
    deployed = watched.filter(
        revision_changed_at__gte=now - AFTER_A_DEPLOY, previous_revision__isnull=False
    )
    tried = watched.filter(targets__share__isnull=False)
    for model in {each.pk: each for each in (*deployed, *tried)}.values():
        trial = trial_of(model, now=now)
        if trial is not None:
            yield trial


def _call_off_if_failing(trial: Trial, *, now: datetime) -> bool:
    new, before = trial.tallies(now=now)
    if not jumped(new, before):
        return False
    reason = (
        f"{new.errors} of its {new.requests} requests failed; "
        f"of {trial.before}'s, {before.errors} of {before.requests} did."
    )
    return revisions.call_off(trial.model, trial.revision, reason=reason, now=now)


def _tallies(model: HostedModel, *, since: datetime, until: datetime) -> dict[int, Tally]:
    """By revision id, over the newest requests that arrived in [since, until)."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [model.pk, since, until, NEWEST])
        return {row[0]: Tally(row[1], row[2]) for row in cursor.fetchall()}
