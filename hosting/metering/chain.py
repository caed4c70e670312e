"""The hash chain: what a record says, as bytes, and the digest that ties it to the one before.

Per team and day (UTC), records are numbered from 1 in the order of their insertion. A changed
record no longer fits its own digest; a missing one leaves a gap in the numbers; an added one has
no place. To hide any of it all later digests have to be made anew, and the last one of a day
stands on the invoice. Pure.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from hosting.wire import UsageEvent

# What a record says, in SQL; `content` makes the same text of an event.
CONTENT_SQL = r"""concat_ws(E'\t', id, model_id, team_id, revision_id, token_id, route, method,
    status, outcome, counted::integer, cold::integer,
    (extract(epoch FROM arrived_at) * 1000000)::bigint, held_ms, model_ms, bytes_in, bytes_out,
    coalesce((extract(epoch FROM late_hour))::bigint, 0))"""


def content(event: UsageEvent, *, arrived_us: int, late_hour: int = 0) -> bytes:
    """What the chain covers of a record. `late_hour`: unix seconds; 0: it came in time."""
    return (
        f"{event.id}\t{event.model_id}\t{event.team_id}\t{event.revision_id}\t{event.token_id}"
        f"\t{event.route}\t{event.method}\t{event.status}\t{event.outcome}\t{event.counted:d}"
        f"\t{event.cold:d}\t{arrived_us}\t{event.held_ms}\t{event.model_ms}\t{event.bytes_in}"
        f"\t{event.bytes_out}\t{late_hour}"
    ).encode()


def link(head: bytes, said: bytes) -> bytes:
    """The digest of a record that follows `head`; the first of a day follows nothing."""
    return sha256(head + said).digest()


@dataclass(frozen=True, slots=True)
class Link:
    """One record as the ledger holds it."""

    id: str
    position: int
    said: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain doesn't hold. `position` 0: at its end."""

    kind: str  # "tampered", "missing", "doubled"
    position: int
    id: str = ""


def breaks(links: Iterable[Link], *, length: int, head: bytes) -> Iterator[Break]:
    """Name every record that is changed, gone or one too many; `links` by position."""
    last, previous = 0, b""
    for each in links:
        if each.position == last or not 1 <= each.position <= length:
            yield Break("doubled", each.position, each.id)
            continue
        yield from (Break("missing", gone) for gone in range(last + 1, each.position))
        follows = each.position == last + 1
        if follows and link(previous, each.said) != each.digest:
            yield Break("tampered", each.position, each.id)
        last, previous = each.position, each.digest
    yield from (Break("missing", gone) for gone in range(last + 1, length + 1))
    if last == length and previous != head:
        yield Break("tampered", 0)
