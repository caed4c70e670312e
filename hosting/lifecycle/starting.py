"""From awakening to awake: build the image if need be, start one replica, wait until it answers."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from hosting import protocols, route_table
from hosting.errors import HostingError, RuntimeUnavailable
from hosting.lifecycle import builds, machine, replicas
from hosting.lifecycle.leases import Lease
from hosting.lifecycle.readiness import intervals
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel, Replica, Revision
from hosting.models.replica import ReplicaStatus
from hosting.protocols.base import ModelProtocol, Readiness, Settings
from hosting.runtimes.base import Observed, ReplicaSpec, Resources, Status
from hosting.states import Event, State

BACKOFF = tuple(timedelta(seconds=each) for each in (1, 5, 30, 120))
# Between two looks at whether the container still runs and is still wanted.
LOOK_EVERY_SECONDS = 0.25


def start(model: HostedModel, *, lease: Lease, tools: Tools) -> None:
    """Lead an awakening model to awake or failed; returns early when it is no longer wanted.

    Raises RuntimeUnavailable when the engine is away: the sweep tries again.
    """
    revision = model.revision
    if revision is None:
        fail(model, reason="It has no revision to run.", now=tools.clock.now())
        return
    try:
        if not builds.is_ready(revision, runtime=tools.runtime, now=tools.clock.now()):
            return  # the build nudges us when it is done
        replica = _replica_for(model, revision, tools=tools)
        observed = tools.runtime.start(spec_of(replica))
    except RuntimeUnavailable:
        raise
    except HostingError as error:
        _give_up(model, reason=error.message, tools=tools)
        return
    if replica.started_at is None:
        replica.started_at = tools.clock.now()
        replica.save(update_fields=["started_at"])
    _wait_until_ready(model, replica, observed, lease=lease, tools=tools)


def spec_of(replica: Replica) -> ReplicaSpec:
    """All the runtime needs to start this replica."""
    revision, model = replica.revision, replica.model
    protocol = protocols.get(revision.protocol)
    chosen = route_table.protocol_settings(revision)
    return ReplicaSpec(
        name=replica.name,
        image=revision.image,
        port=chosen.port or protocol.default_port,
        environment={**revision.environment, **protocol.environment(chosen)},
        resources=Resources(memory_mb=revision.memory_mb, cpus=revision.cpus),
        arguments=revision.arguments,
        labels={
            "dormouse.installation": settings.INSTALLATION,
            "dormouse.model": model.subdomain,
            "dormouse.team": str(model.team_id),
            "dormouse.revision": str(revision.number),
        },
        port_variable=protocol.port_variable,
    )


def failure(model: HostedModel, *, reason: str, now: datetime) -> dict[str, Any]:
    """The columns that say why it failed and when the next try is due."""
    pause = BACKOFF[min(model.failure_count, len(BACKOFF) - 1)]
    return {
        "failure_reason": reason,
        "failure_count": model.failure_count + 1,
        "retry_at": now + pause,
    }


def fail(model: HostedModel, *, reason: str, now: datetime) -> None:
    """Record a failed wake with its reason; the next try waits for the backoff."""
    columns = failure(model, reason=reason, now=now)
    machine.apply(model, Event.START_FAILED, now=now, cause=reason, **columns)


def _replica_for(model: HostedModel, revision: Revision, *, tools: Tools) -> Replica:
    """The replica being started: the one a dead worker left behind, else a new row."""
    left_behind = model.replicas.filter(
        status=ReplicaStatus.STARTING, revision=revision
    ).select_related("model", "revision")
    return left_behind.first() or Replica.objects.create(
        model=model,
        revision=revision,
        runtime=tools.runtime.name,
        created_at=tools.clock.now(),
    )


def _wait_until_ready(
    model: HostedModel, replica: Replica, observed: Observed, *, lease: Lease, tools: Tools
) -> None:
    protocol = protocols.get(replica.revision.protocol)
    chosen = route_table.protocol_settings(replica.revision)
    began = replica.started_at or tools.clock.now()
    budget_ends = began + timedelta(seconds=model.startup_timeout_seconds)
    next_look = tools.clock.now()
    for pause in intervals():
        readiness = _ask(observed, protocol, chosen, tools=tools)
        if readiness == Readiness.READY:
            _become_ready(model, replica, observed, tools=tools)
            return
        now = tools.clock.now()
        if now >= next_look or readiness == Readiness.FAILED:
            next_look = now + timedelta(seconds=LOOK_EVERY_SECONDS)
            if not lease.renew() or not _still_awakening(model):
                return
            observed = tools.runtime.find(replica.name) or Observed(replica.name, Status.EXITED)
            if observed.status == Status.EXITED or readiness == Readiness.FAILED:
                replicas.bury(replica, tools=tools)
                _give_up(model, reason=replica.obituary, tools=tools)
                return
        if now >= budget_ends:
            replicas.bury(replica, tools=tools)
            budget = model.startup_timeout_seconds
            _give_up(model, reason=f"It did not become ready within {budget} s.", tools=tools)
            return
        tools.clock.sleep(pause)


def _ask(
    observed: Observed, protocol: ModelProtocol, chosen: Settings, *, tools: Tools
) -> Readiness:
    if observed.host is None or observed.port is None:
        return Readiness.WAITING
    return tools.probe(observed.host, observed.port, protocol=protocol, settings=chosen)


def _become_ready(
    model: HostedModel, replica: Replica, observed: Observed, *, tools: Tools
) -> None:
    """Give the replica its address and the model its state, both or neither."""
    now = tools.clock.now()
    with transaction.atomic():
        Replica.objects.filter(pk=replica.pk).update(
            status=ReplicaStatus.READY,
            host=observed.host,
            port=observed.port,
            ready_at=now,
        )
        # The count stays until the replica has proved itself: see reconcile's crash loop.
        moved = machine.apply(model, Event.READY, now=now, failure_reason="", retry_at=None)
        if not moved:  # put to sleep meanwhile: the next round stops the replica
            transaction.set_rollback(True)


def _give_up(model: HostedModel, *, reason: str, tools: Tools) -> None:
    for replica in model.replicas.filter(status=ReplicaStatus.STARTING):
        replicas.stop(replica, tools=tools)
    fail(model, reason=reason, now=tools.clock.now())


def _still_awakening(model: HostedModel) -> bool:
    return HostedModel.objects.filter(pk=model.pk, state=State.AWAKENING).exists()
