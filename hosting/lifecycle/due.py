"""What a round of the sweep has to do, asked in one statement.

Most rounds find nothing, and then this reading is all they cost: composing a query takes Django
longer than PostgreSQL takes to answer it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from hosting.lifecycle import leases, trials
from hosting.states import TRANSIENT

# A column for each part of the round, in the order of `Due`. Whoever does a part reads for itself
# what it acts on: a part may be named that has nothing to do, but none that has may be left out.
_LOOK = f"""
SELECT
    EXISTS (
        SELECT FROM hosting_hostedmodel WHERE state = 'awake' AND min_replicas = 0
        AND state_changed_at + idle_timeout_seconds * interval '1 second' <= %(now)s
    ),
    EXISTS (
        SELECT FROM hosting_hostedmodel WHERE state = 'drowsy'
        AND state_changed_at + deep_sleep_after_seconds * interval '1 second' <= %(now)s
    ),
    EXISTS (SELECT FROM hosting_hostedmodel WHERE state = 'awake' AND max_replicas > 1),
    EXISTS (
        SELECT FROM hosting_hostedmodel
        WHERE (min_replicas > 0 OR NOT warm_windows = '{{}}'::varchar(80)[])
        AND active AND deleted_at IS NULL AND state IN ('asleep', 'drowsy', 'failed')
    ),
    EXISTS (SELECT FROM hosting_target WHERE share IS NULL),
    EXISTS (SELECT FROM hosting_target WHERE share IS NOT NULL) OR EXISTS (
        SELECT FROM hosting_hostedmodel
        WHERE previous_revision_id IS NOT NULL AND revision_changed_at >= %(deployed_since)s
    ),
    EXISTS (SELECT FROM hosting_build WHERE status = 'running' AND lease_until < %(now)s),
    ARRAY (
        SELECT id FROM hosting_hostedmodel
        WHERE {leases.FREE} AND id IN (
            SELECT id FROM hosting_hostedmodel WHERE state = ANY(%(transient)s)
            UNION ALL
            -- At rest with a replica; or awake, and a replica starts, drains, or is of a revision
            -- that is no longer in use.
            SELECT model.id FROM hosting_replica AS replica
            JOIN hosting_hostedmodel AS model ON model.id = replica.model_id
            LEFT JOIN hosting_target AS target ON target.revision_id = replica.revision_id
            WHERE replica.status <> 'gone' AND (
                model.state IN ('asleep', 'failed')
                OR model.state = 'awake'
                AND (model.retry_at IS NULL OR model.retry_at <= %(now)s)
                AND (
                    replica.status <> 'ready'
                    OR replica.revision_id IS DISTINCT FROM model.revision_id AND target.id IS NULL
                )
            )
            UNION ALL
            -- Awake, and without a replica of a revision in use beside the current one.
            SELECT model.id FROM hosting_target AS target
            JOIN hosting_hostedmodel AS model ON model.id = target.model_id
            WHERE model.state = 'awake'
            AND (target.retry_at IS NULL OR target.retry_at <= %(now)s)
            AND NOT EXISTS (
                SELECT FROM hosting_replica
                WHERE revision_id = target.revision_id AND status = 'ready'
            )
        )
    )
"""  # noqa: S608 - put together from constants


@dataclass(frozen=True, slots=True)
class Due:
    """Which parts of a round have something to look at."""

    idle: bool  # awake for its idle timeout
    drowsy: bool  # for long enough
    scaled: bool  # awake, and may have several replicas
    kept_awake: bool  # at rest, and in some hours or always to be awake
    pinned: bool  # a revision runs for its address
    on_trial: bool
    abandoned_build: bool
    unfinished: Sequence[int]  # models that somebody must go on with


def look(*, now: datetime) -> Due:
    """Read what is due."""
    asked: dict[str, datetime | list[str]] = {
        **leases.bounds(now=now),
        "transient": [str(state) for state in TRANSIENT],
        "deployed_since": now - trials.AFTER_A_DEPLOY,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, asked)
        (row,) = cursor.fetchall()
    return Due(*row)
