"""Start a replica: build its image if need be, start it, wait until it answers."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from hosting import protocols, registries, route_table, secrets
from hosting.errors import HostingError, ImageMissing, RuntimeUnavailable
from hosting.lifecycle import (
    builds,
    capacity,
    describing,
    golden,
    holding,
    machine,
    replicas,
    revisions,
    wakes,
)
from hosting.lifecycle.leases import Lease
from hosting.lifecycle.readiness import complaint, intervals
from hosting.lifecycle.tools import Tools
from hosting.models import HostedModel, Replica, Revision
from hosting.models.replica import ReplicaStatus
from hosting.protocols.base import ModelProtocol, Readiness, Settings
from hosting.runtimes.base import Observed, ReplicaSpec, Resources, Status
from hosting.states import Event, State

BACKOFF = tuple(timedelta(seconds=each) for each in (1, 5, 30, 120))
# So many machines in a row may go away under a start before it waits like one without room.
MOST_MACHINES = 5
# Between two looks at whether the container still runs and is still wanted.
LOOK_EVERY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Ready:
    """A replica that answers, not yet written down as such."""

    replica: Replica
    observed: Observed


@dataclass(frozen=True, slots=True)
class Failed:
    """A replica that will not answer, and why; None: there wasn't even one."""

    reason: str
    replica: Replica | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A replica whose machine went away before it answered: no fault of the model."""

    replica: Replica


@dataclass(frozen=True, slots=True)
class Lacking:
    """A replica whose machine has no such image: another may."""

    replica: Replica


def start(model: HostedModel, *, lease: Lease, tools: Tools) -> None:
    """Lead an awakening model to awake or failed; returns early when it is no longer wanted.

    A revision that can't start gives way to the one before it. Raises RuntimeUnavailable when the
    engine is away: the sweep tries again.
    """
    revision = model.revision
    if revision is None:
        fail(model, Failed("It has no revision to run."), now=tools.clock.now())
        return
    outcome = launch(model, revision, during=State.AWAKENING, lease=lease, tools=tools)
    if isinstance(outcome, Ready):
        _become_ready(model, outcome, tools=tools)
    elif isinstance(outcome, capacity.Wait):
        capacity.note_waiting(model, outcome.reason)
    elif isinstance(outcome, Failed):
        now = tools.clock.now()
        if not revisions.give_way(model, revision, reason=outcome.reason, now=now):
            fail(model, outcome, now=now)


def launch(
    model: HostedModel,
    revision: Revision,
    *,
    during: State,
    lease: Lease,
    tools: Tools,
    takes_traffic: bool = True,
) -> Ready | Failed | capacity.Wait | None:
    """Start one replica of this revision and wait until it answers.

    A revision that is new to traffic must answer the golden requests, too. When its machine goes
    away meanwhile, or lacks the image, it is started on another. None: it is no longer wanted, its
    image is still being built, or the lease was lost. Wait: there is no room now.
    """
    lost, asked = 0, set[str]()
    while lost < MOST_MACHINES:
        outcome = _launch_once(
            model, revision, during=during, lease=lease, tools=tools, takes_traffic=takes_traffic
        )
        if isinstance(outcome, Lost):
            lost += 1
        elif not isinstance(outcome, Lacking):
            return outcome
        elif outcome.replica.node in asked:  # so many were asked that it is this one's turn again
            return Failed(capacity.nowhere(revision).message, outcome.replica)
        else:
            asked.add(outcome.replica.node)
        if not lease.renew() or not _still_wanted(outcome.replica, during=during):
            return None
    return capacity.Wait("The machines it was started on went away.")


def _launch_once(
    model: HostedModel,
    revision: Revision,
    *,
    during: State,
    lease: Lease,
    tools: Tools,
    takes_traffic: bool,
) -> Ready | Failed | Lost | Lacking | capacity.Wait | None:
    try:
        if not builds.is_ready(revision, runtime=tools.runtime, now=tools.clock.now()):
            return None  # the build nudges us when it is done
        replica = capacity.claim(model, revision, tools=tools)
        if isinstance(replica, capacity.Wait):
            return replica
        if model.wait_reason:
            capacity.note_waiting(model, "")
        try:
            observed = tools.runtime.start(spec_of(replica, alone=during == State.AWAKENING))
        except ImageMissing:
            replicas.stop(replica, tools=tools)
            Replica.objects.filter(pk=replica.pk).update(image_missing=True)
            return Lacking(replica)
    except RuntimeUnavailable:
        raise
    except HostingError as error:
        return _failed(model, revision, error.message, tools=tools)
    if replica.started_at is None:
        replica.started_at = tools.clock.now()
        replica.save(update_fields=["started_at"])
    outcome = _wait_until_ready(model, replica, observed, during=during, lease=lease, tools=tools)
    if isinstance(outcome, Ready) and takes_traffic and revision.admitted_at is None:
        return _examined(outcome, during=during, lease=lease, tools=tools)
    return outcome


def spec_of(replica: Replica, *, alone: bool = False) -> ReplicaSpec:
    """All the runtime needs to start this replica; `alone`: its model has no other."""
    revision, model = replica.revision, replica.model
    protocol = protocols.get(revision.protocol)
    chosen = route_table.protocol_settings(revision)
    secret = secrets.given(model)
    return ReplicaSpec(
        name=replica.name,
        image=revision.image,
        port=chosen.port or protocol.default_port,
        environment={
            **revision.environment,
            **secret.variables,
            **protocol.environment(chosen),
        },
        files=secret.files,
        resources=Resources(memory_mb=revision.memory_mb, cpus=revision.cpus, gpus=revision.gpus),
        arguments=revision.arguments,
        internet=revision.internet,
        labels={
            "dormouse.installation": settings.INSTALLATION,
            "dormouse.model": model.subdomain,
            "dormouse.team": str(model.team_id),
            "dormouse.revision": str(revision.number),
        },
        port_variable=protocol.port_variable,
        node=replica.node,
        login=registries.login_for(revision.image, team_id=model.team_id),
        private=registries.is_private(revision.image),
        holder=holding.key(model) if alone else "",
    )


def failure(model: HostedModel, *, reason: str, now: datetime) -> dict[str, Any]:
    """The columns that say why it failed and when the next try is due."""
    pause = BACKOFF[min(model.failure_count, len(BACKOFF) - 1)]
    return {
        "failure_reason": reason,
        "failure_count": model.failure_count + 1,
        "retry_at": now + pause,
    }


def fail(model: HostedModel, failed: Failed, *, now: datetime) -> None:
    """Record a failed wake with its reason; the next try waits for the backoff."""
    columns = failure(model, reason=failed.reason, now=now)
    machine.apply(
        model,
        Event.START_FAILED,
        now=now,
        cause=failed.reason,
        replica=failed.replica,
        **columns,
    )


def _wait_until_ready(
    model: HostedModel,
    replica: Replica,
    observed: Observed,
    *,
    during: State,
    lease: Lease,
    tools: Tools,
) -> Ready | Failed | Lost | None:
    revision = replica.revision
    protocol = protocols.get(revision.protocol)
    chosen = route_table.protocol_settings(revision)
    budget = timedelta(seconds=model.startup_timeout_seconds)
    spent = tools.clock.now() - (replica.started_at or tools.clock.now())
    # From here on without the clock, which may be set meanwhile.
    budget_ends = tools.clock.monotonic() + (budget - max(spent, timedelta())).total_seconds()
    next_look = tools.clock.monotonic()
    for pause in intervals():
        readiness = _ask(observed, protocol, chosen, tools=tools)
        now = tools.clock.monotonic()
        if readiness != Readiness.CLOSED and replica.listening_at is None:
            replica.listening_at = tools.clock.now()  # written when it is ready
        if readiness == Readiness.READY:
            return Ready(replica, observed)
        if now >= next_look or readiness == Readiness.FAILED:
            next_look = now + LOOK_EVERY_SECONDS
            if not lease.renew() or not _still_wanted(replica, during=during):
                return None
            if during == State.AWAKE and _bury_dead(model, tools=tools):
                return None  # what serves comes first; this one is found again
            observed = tools.runtime.find(replica.name) or Observed(replica.name, Status.EXITED)
            if observed.status == Status.EXITED or readiness == Readiness.FAILED:
                replicas.bury(replica, tools=tools)
                if replica.node_lost:
                    return Lost(replica)
                return _failed(model, revision, replica.obituary, replica=replica, tools=tools)
            if observed.paused:  # behind our back: it takes connections and never answers
                tools.runtime.resume(replica.name)
        if now >= budget_ends:
            replicas.bury(replica, tools=tools)
            reason = complaint(
                protocol=protocol,
                settings=chosen,
                listened=replica.listening_at is not None,
                within_seconds=model.startup_timeout_seconds,
            )
            return _failed(model, revision, reason, replica=replica, tools=tools)
        tools.clock.sleep(pause)
    raise AssertionError("intervals never end")


def _bury_dead(model: HostedModel, *, tools: Tools) -> bool:
    """Notice serving replicas that ended meanwhile: only the holder of the lease can."""
    serving = model.replicas.filter(status=ReplicaStatus.READY).select_related("revision")
    return bool(replicas.bury_lost(serving, tools=tools))


def _ask(
    observed: Observed, protocol: ModelProtocol, chosen: Settings, *, tools: Tools
) -> Readiness:
    if observed.host is None or observed.port is None:
        return Readiness.CLOSED
    return tools.probe(observed.host, observed.port, protocol=protocol, settings=chosen)


def _examined(
    ready: Ready, *, during: State, lease: Lease, tools: Tools
) -> Ready | Failed | Lost | None:
    """Put the golden requests to a replica."""
    replica, observed = ready.replica, ready.observed
    refusal = golden.refusal(
        replica.revision,
        (observed.host or "", observed.port or 0),
        ask=tools.ask,
        still_wanted=lambda: lease.renew() and _still_wanted(replica, during=during),
        within_seconds=replica.model.startup_timeout_seconds,
    )
    if refusal is None:
        return None
    if refusal:
        found = tools.runtime.find(replica.name)
        if found is not None and found.lost:
            replicas.bury(replica, tools=tools)
            return Lost(replica)
        return _failed(replica.model, replica.revision, refusal, replica=replica, tools=tools)
    return ready


def note_ready(ready: Ready, *, now: datetime, takes_traffic: bool = True) -> None:
    """Give the replica its address; callers hold a transaction."""
    revision_id = ready.replica.revision_id
    new = Revision.objects.filter(pk=revision_id, admitted_at=None)
    if takes_traffic and new.update(admitted_at=now):
        # Its trial begins now, however long ago it was deployed.
        HostedModel.objects.filter(revision=revision_id).update(revision_changed_at=now)
    Replica.objects.filter(pk=ready.replica.pk).update(
        status=ReplicaStatus.READY,
        host=ready.observed.host,
        port=ready.observed.port,
        listening_at=ready.replica.listening_at,
        ready_at=now,
    )
    describing.request(ready.replica.revision)


def _become_ready(model: HostedModel, ready: Ready, *, tools: Tools) -> None:
    """Give the replica its address and the model its state, both or neither."""
    now = tools.clock.now()
    with transaction.atomic():
        note_ready(ready, now=now)
        # The count stays until the replica has proved itself: see reconcile's crash loop.
        moved = machine.apply(
            model, Event.READY, now=now, replica=ready.replica, failure_reason="", retry_at=None
        )
        if not moved:  # put to sleep meanwhile: the next round stops the replica
            transaction.set_rollback(True)
    if moved:
        wakes.learn_and_publish(model, ready.replica.revision)


def _failed(
    model: HostedModel,
    revision: Revision,
    reason: str,
    *,
    tools: Tools,
    replica: Replica | None = None,
) -> Failed:
    for left in model.replicas.filter(status=ReplicaStatus.STARTING, revision=revision):
        replicas.stop(left, tools=tools)
    return Failed(reason, replica)


def _still_wanted(replica: Replica, *, during: State) -> bool:
    in_use = Q(revision=replica.revision_id) | Q(targets__revision=replica.revision_id)
    return HostedModel.objects.filter(in_use, pk=replica.model_id, state=during).exists()
