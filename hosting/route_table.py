"""Builds Routes from rows and publishes them after commit.

Redis only carries the table: it can be lost at any time and is written again by the sweep.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from typing import Any
from zlib import crc32

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, QuerySet

from hosting import protocols, rates, wire
from hosting.models import EndpointToken, HostedModel, Replica, Revision, Standing, Target
from hosting.models.replica import ReplicaStatus
from hosting.protocols.base import Settings
from hosting.states import State

logger = logging.getLogger(__name__)

# The version of each route in the table. Its name changes with what a route is made of: after an
# upgrade all of them are written anew.
_VERSIONS_KEY = f"dormouse:routes:versions:{crc32(repr(wire.Route.__slots__).encode()):08x}"
_READ_AT_ONCE = 500

# An older route must never overwrite a newer one, whoever writes last.
_PUBLISH = """
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old then
  local known = cjson.decode(old)
  local id, generation = tonumber(ARGV[2]), tonumber(ARGV[3])
  if known.model_id > id or (known.model_id == id and known.generation > generation) then
    return 0
  end
end
if ARGV[5] == '1' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[2] .. ':' .. ARGV[3])
end
redis.call('PUBLISH', KEYS[2], ARGV[4])
return 1
"""


@cache
def connection() -> redis.Redis:
    """The control plane's Redis, speaking str. Its calls raise redis.RedisError when it is away."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2, decode_responses=True
    )


def publish_on_commit(model_id: int) -> None:
    """Publish the model's route once the running transaction is committed."""
    transaction.on_commit(partial(publish, model_id))


def publish(model_id: int) -> None:
    """Publish one model's route as its rows say now. Safe to repeat; Redis away is only logged."""
    model = _with_rows().filter(pk=model_id).first()
    if model is None:
        return
    try:
        _send([build(model)])
    except redis.RedisError as error:
        logger.warning("route of %s not published, the sweep will: %s", model, error)


def publish_move_on_commit(
    model: HostedModel, *, read: int, ready: Sequence[Replica] | None = None
) -> None:
    """Publish the state the model was just given, once the running transaction is committed.

    `read` is the generation it was moved from. The table's own route is taken over when it is of
    that: all but the state is then as it was, and a wake saves the reading of tokens and revision;
    of the `ready` replicas, too, where they are known.
    """
    transaction.on_commit(
        partial(_publish_move, model, read=read, generation=model.generation, ready=ready)
    )


def _publish_move(
    model: HostedModel, *, read: int, generation: int, ready: Sequence[Replica] | None
) -> None:
    try:
        text = connection().hget(wire.ROUTES_KEY, model.subdomain)
        known = wire.Route.from_json(text) if text else None
        adjoins = known is not None and known.version == (model.pk, read)
        if known is None or not adjoins or model.generation != generation or known.beside:
            publish(model.pk)
            return
        awake = model.state == State.AWAKE
        if ready is None:
            ready = list(model.replicas.filter(status=ReplicaStatus.READY)) if awake else []
        if awake and {each.revision_id for each in ready} != {known.revision_id}:
            publish(model.pk)
            return
        moved = replace(
            known,
            generation=generation,
            state=str(model.state),
            replicas=tuple(_addresses(model, ready)),
            since=model.state_changed_at.timestamp(),
            failure_reason=model.failure_reason or None,
            retry_at=_timestamp(model.retry_at),
            wait_reason=None,  # a move ends the waiting
        )
        _send([moved])
    except redis.RedisError as error:
        logger.warning("route of %s not published, the sweep will: %s", model, error)


def publish_all() -> int:
    """Write every route that the table lacks or has an older one of, drop those of no model.

    Returns how many were written. Costs two small readings when there are none.
    """
    there = {str(subdomain) for subdomain in connection().hkeys(wire.ROUTES_KEY)}
    versions = connection().hgetall(_VERSIONS_KEY)
    behind, subdomains = [], set()
    for model_id, subdomain, generation in _hosted().values_list("pk", "subdomain", "generation"):
        subdomains.add(subdomain)
        if subdomain not in there or versions.get(subdomain) != f"{model_id}:{generation}":
            behind.append(model_id)
    for first in range(0, len(behind), _READ_AT_ONCE):
        some = _with_rows().filter(pk__in=behind[first : first + _READ_AT_ONCE])
        _send([build(model) for model in some])
    for subdomain in there - subdomains:
        _withdraw(subdomain)
    connection().set(wire.ROUTES_EPOCH_KEY, 1)
    return len(behind)


def news(known: Mapping[int, int]) -> tuple[list[wire.Route], bool]:
    """The routes that a router lacks or has older ones of, and whether these are all of them.

    `known` is what it has: model id to generation. Does without Redis, for when that is away.
    """
    hosted = dict(_hosted().values_list("pk", "generation"))
    behind = [pk for pk, generation in hosted.items() if known.get(pk, -1) < generation]
    gone = HostedModel.objects.filter(pk__in=known.keys() - hosted.keys())
    all_of_them = [*gone.values_list("pk", flat=True), *behind]
    some = all_of_them[:_READ_AT_ONCE]
    return [build(model) for model in _with_rows().filter(pk__in=some)], some == all_of_them


def build(model: HostedModel) -> wire.Route:
    """The route that says what the rows say."""
    ready = [each for each in model.replicas.all() if each.status == ReplicaStatus.READY]
    serving = _serving(model, ready) if model.state == State.AWAKE else []
    revision = serving[0].revision if serving else model.revision
    valid = [token for token in model.tokens.all() if token.revoked_at is None]
    route = wire.Route(
        model_id=model.pk,
        subdomain=model.subdomain,
        generation=model.generation,
        team_id=model.team_id,
        revision_id=revision.pk if revision else 0,
        active=model.active,
        public=model.public,
        state=model.state,
        replicas=tuple(_addresses(model, serving)),
        token_digests={token.digest: token.pk for token in valid},
        token_expiries={
            token.digest: token.expires_at.timestamp() for token in valid if token.expires_at
        },
        request_timeout_seconds=float(model.request_timeout_seconds),
        failure_reason=model.failure_reason or None,
        retry_at=_timestamp(model.retry_at),
        wait_reason=model.wait_reason or None,
        payment_required=model.payment_required,
        unpaid_tokens=tuple(sorted(token.pk for token in valid if token.payment_required)),
        since=model.state_changed_at.timestamp(),
        wake_seconds=revision.wake_seconds if revision else None,
        no_wake_routes=_beside(model.wake_routes, wire.ROUTES),
        no_wake_methods=_beside(model.wake_methods, wire.METHODS),
        no_wake_tokens=tuple(_forbidden(model, valid)),
        max_body_bytes=model.max_body_mb << 20,
        rate=rates.read(model.rate_limit),
        token_rates={
            token.digest: rate for token in valid if (rate := rates.read(token.rate_limit))
        },
        removed=model.deleted_at is not None,
        revision=revision.number if revision else 0,
        last_revision=model.last_revision,
        beside=tuple(_target(model, each) for each in model.targets.all()),
    )
    route = _capped(route, model, valid)
    return route if revision is None else replace(route, **_spoken(revision))


def _capped(route: wire.Route, model: HostedModel, valid: list[EndpointToken]) -> wire.Route:
    """Add what billing says of the team: so a new model is under its caps from the first."""
    standing: Standing | None = getattr(model.team, "standing", None)
    if standing is None:
        return route
    query_reserve, other_reserve = standing.reserve_of(model.pk)
    return replace(
        route,
        payment_required=route.payment_required or standing.payment_required,
        caps=(*standing.caps, *((f"model:{model.pk}",) if model.capped else ())),
        capped_tokens=tuple(sorted(token.pk for token in valid if token.capped)),
        query_reserve=query_reserve,
        other_reserve=other_reserve,
    )


def protocol_settings(revision: Revision) -> Settings:
    """What a revision chose, as its protocol reads it."""
    return Settings(
        port=revision.port,
        health_path=revision.health_path or None,
        query_path=revision.query_path or None,
        info_path=revision.info_path or None,
        command=revision.command,
        options=revision.options,
    )


def _target(model: HostedModel, target: Target) -> wire.Target:
    """A revision in use beside the current one."""
    ready = [each for each in model.replicas.all() if each.revision_id == target.revision_id]
    if target.share is not None:
        ready = [each for each in ready if _may_take_traffic(each)]
    addresses = tuple(_addresses(model, ready))
    state = model.state
    if state == State.AWAKE and not addresses:
        state = State.FAILED if target.retry_at else State.AWAKENING
    return wire.Target(
        revision_id=target.revision_id,
        revision=target.revision.number,
        share=target.share,
        state=str(state),
        replicas=addresses,
        failure_reason=target.failure_reason or model.failure_reason or None,
        retry_at=_timestamp(target.retry_at or model.retry_at),
        **_spoken(target.revision),
    )


def _spoken(revision: Revision) -> dict[str, Any]:
    """What the revision's protocol says of its routes."""
    protocol = protocols.get(revision.protocol)
    chosen = protocol_settings(revision)
    concurrency = revision.concurrency
    return {
        "protocol": revision.protocol,
        "query_path": protocol.query_path(chosen),
        "info_path": protocol.info_path(chosen),
        "info": protocol.info(chosen) or revision.info or None,
        "concurrency": protocol.default_concurrency if concurrency is None else concurrency,
    }


def _serving(model: HostedModel, ready: list[Replica]) -> list[Replica]:
    """The replicas that get requests: of the current revision, or until it has all it needs, of
    the one before.

    Never of both: an endpoint speaks one protocol.
    """
    in_use = {each.revision_id for each in model.targets.all()}
    current = [
        each for each in ready if each.revision_id == model.revision_id and _may_take_traffic(each)
    ]
    older = [each for each in ready if each.revision_id not in (model.revision_id, *in_use)]
    if len(current) >= model.wanted_replicas or not older:
        return current
    before = [each for each in older if each.revision_id == model.previous_revision_id]
    newest = max(each.revision_id for each in older)
    return before or [each for each in older if each.revision_id == newest]


def _may_take_traffic(replica: Replica) -> bool:
    """Not what runs for its pinned address and has not answered the golden requests."""
    return replica.revision.admitted_at is not None


def _addresses(model: HostedModel, replicas: Iterable[Replica]) -> Iterable[wire.ReplicaAddress]:
    if model.state != State.AWAKE:
        return
    for replica in replicas:
        if replica.status == ReplicaStatus.READY and replica.port is not None:
            yield wire.ReplicaAddress(id=replica.pk, host=replica.host, port=replica.port)


def _beside(allowed: Iterable[str], every: Iterable[str]) -> tuple[str, ...]:
    return tuple(each for each in every if each not in allowed)


def _forbidden(model: HostedModel, tokens: Iterable[EndpointToken]) -> Iterable[int]:
    """The ids of tokens that may not wake the model; 0 stands for callers without one."""
    if not model.wake_without_token:
        yield 0
    yield from sorted(token.pk for token in tokens if not token.may_wake)


def _timestamp(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _with_rows() -> QuerySet[HostedModel]:
    ready = Replica.objects.filter(status=ReplicaStatus.READY).select_related("revision")
    valid = EndpointToken.objects.filter(revoked_at=None)
    beside = Target.objects.select_related("revision")
    related = HostedModel.objects.select_related("revision", "team__standing")
    return related.prefetch_related(
        Prefetch("replicas", ready), Prefetch("tokens", valid), Prefetch("targets", beside)
    )


def _hosted() -> QuerySet[HostedModel]:
    return HostedModel.objects.filter(deleted_at=None)


def _send(routes: list[wire.Route]) -> None:
    pipeline = connection().pipeline(transaction=False)
    for route in routes:
        pipeline.eval(
            _PUBLISH,
            3,
            wire.ROUTES_KEY,
            wire.ROUTES_CHANNEL,
            _VERSIONS_KEY,
            route.subdomain,
            str(route.model_id),
            str(route.generation),
            route.to_json(),
            "1" if route.removed else "0",
        )
    pipeline.execute()


def _withdraw(subdomain: str) -> None:
    """Remove a route whose model is deleted, unless a new model has just taken the name."""
    model = _with_rows().filter(subdomain=subdomain).order_by("-pk").first()
    if model is not None:
        _send([build(model)])
    else:
        connection().hdel(wire.ROUTES_KEY, subdomain)
        connection().hdel(_VERSIONS_KEY, subdomain)
