"""Insert usage events into the ledger, exactly once, and keep the rollup in step."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from django.db import connection, transaction

from hosting.wire import UsageEvent

_COLUMNS = {
    "id": "uuid",
    "model_id": "bigint",
    "team_id": "bigint",
    "revision_id": "bigint",
    "token_id": "bigint",
    "route": "text",
    "method": "text",
    "status": "smallint",
    "outcome": "text",
    "counted": "boolean",
    "cold": "boolean",
    "arrived_at": "timestamptz",
    "held_ms": "integer",
    "model_ms": "integer",
    "bytes_in": "bigint",
    "bytes_out": "bigint",
}

# The columns and types are constants of this module, not input.
_INSERT = f"""
INSERT INTO hosting_usagerecord ({", ".join(_COLUMNS)})
SELECT * FROM unnest({", ".join(f"%s::{kind}[]" for kind in _COLUMNS.values())})
ON CONFLICT (id) DO NOTHING
RETURNING model_id, date_trunc('minute', arrived_at), token_id, arrived_at
"""  # noqa: S608

# A minute is always rebuilt from the ledger: repeating it changes nothing.
_ROLL_UP = """
INSERT INTO hosting_usageminute
    (model_id, team_id, minute, requests, errors, cold, model_ms, held_ms)
SELECT model_id, min(team_id), %(minute)s,
    count(*) FILTER (WHERE counted),
    count(*) FILTER (WHERE counted AND status >= 400),
    count(*) FILTER (WHERE counted AND cold),
    coalesce(sum(model_ms) FILTER (WHERE counted), 0),
    coalesce(sum(held_ms) FILTER (WHERE counted), 0)
FROM hosting_usagerecord
WHERE model_id = %(model_id)s
    AND arrived_at >= %(minute)s AND arrived_at < %(minute)s + interval '1 minute'
GROUP BY model_id
ON CONFLICT (model_id, minute) DO UPDATE SET
    requests = excluded.requests, errors = excluded.errors, cold = excluded.cold,
    model_ms = excluded.model_ms, held_ms = excluded.held_ms
"""

_TOKENS_USED = """
UPDATE hosting_endpointtoken SET last_used_at = used.at
FROM (SELECT unnest(%s::bigint[]) AS id, unnest(%s::timestamptz[]) AS at) AS used
WHERE hosting_endpointtoken.id = used.id
    AND (last_used_at IS NULL OR last_used_at < used.at)
"""


@transaction.atomic
def record(events: Sequence[UsageEvent]) -> int:
    """Store a batch; returns how many were new. A repeat of any event adds nothing."""
    if not events:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [_column(events, name) for name in _COLUMNS])
        new = cursor.fetchall()
        for model_id, minute in sorted({row[:2] for row in new}):
            cursor.execute(_ROLL_UP, {"model_id": model_id, "minute": minute})
        last_used = _last_used((row[2], row[3]) for row in new)
        cursor.execute(_TOKENS_USED, [list(last_used), list(last_used.values())])
    return len(new)


def _column(events: Sequence[UsageEvent], name: str) -> list[object]:
    if name == "arrived_at":
        return [datetime.fromtimestamp(event.arrived_at, UTC) for event in events]
    return [getattr(event, name) for event in events]


def _last_used(uses: Iterable[tuple[int, datetime]]) -> dict[int, datetime]:
    latest: dict[int, datetime] = {}
    for token_id, at in uses:
        if token_id and (token_id not in latest or at > latest[token_id]):
            latest[token_id] = at
    return latest
