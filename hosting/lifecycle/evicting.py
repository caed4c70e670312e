"""Who is put to sleep for somebody else: the model least worth keeping that nobody uses."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import redis
from django.db.models import Avg, Count, F, Q, Sum

from hosting.lifecycle import draining, machine, warmth
from hosting.lifecycle.holdings import Held, alone, read_held
from hosting.lifecycle.placing import Amount, Candidate, Shares, in_order, to_stop, worth
from hosting.models import HostedModel, Replica, Transition
from hosting.models.replica import ReplicaStatus
from hosting.states import Event, State

# An awake model must be quiet for this long before it is put to sleep for somebody else.
QUIET_FOR = timedelta(seconds=30)
HISTORY = timedelta(days=7)
USUAL_WAKE_SECONDS = 5.0
_STATE = ("model__state", "model__state_changed_at")


def make_room(
    model: HostedModel, need: Amount, *, budgets: Mapping[str, Amount], limit: Amount, now: datetime
) -> bool:
    """Stop who is least worth keeping; whether room is being made, by us or by somebody else.

    Chosen and written down under the lock: two wakes don't stop two models for the same memory.
    """
    reports = _reports(now=now)
    with alone():
        held = read_held()
        shares = Shares(
            sum(each.memory_mb for each in budgets.values()),
            {team_id: each.memory_mb for team_id, each in held.by_team.items()},
        )
        wanting = model.team_id
        candidates = [
            each
            for each in in_order(_candidates(reports, now=now), shares, wanting=wanting)
            if each.model_id != model.pk and not shares.spares(each, wanting=wanting, need=need)
        ]
        team_room = held.room_of(wanting, limit=limit)
        chosen = to_stop(
            need,
            coming=team_room + held.leaving_by_team.get(wanting, Amount()),
            candidates=[each for each in candidates if each.team_id == wanting],
        )
        if chosen is None:
            return False
        if need.fits_in(team_room):
            chosen = _cheapest(need, candidates, free=held.free(budgets), held=held)
        for candidate in chosen or ():
            _stop(candidate, wanted_by=model, now=now)
        return chosen is not None


def _cheapest(
    need: Amount, candidates: list[Candidate], *, free: Mapping[str, Amount], held: Held
) -> list[Candidate] | None:
    """The models to stop on the node where that costs least."""
    plans = []
    for name, room in free.items():
        coming = room + held.leaving.get(name, Amount())
        there = [each for each in candidates if each.node == name]
        plan = to_stop(need, coming=coming, candidates=there)
        if plan is not None:
            cost = (sum(each.awake for each in plan), sum(each.worth for each in plan))
            plans.append((cost, name, plan))
    return min(plans)[2] if plans else None


def _stop(candidate: Candidate, *, wanted_by: HostedModel, now: datetime) -> None:
    victim = HostedModel.objects.get(pk=candidate.model_id)
    event = Event.SLEEP if candidate.awake else Event.DEEP_SLEEP
    # What it does meanwhile is its own affair: a drowsy model may have woken since it was read.
    if victim.current_state == (State.AWAKE if candidate.awake else State.DROWSY):
        machine.apply(victim, event, now=now, cause=f"its memory is wanted by {wanted_by}")


def _candidates(reports: draining.Reports | None, *, now: datetime) -> Iterator[Candidate]:
    """Models that nobody uses: drowsy, or awake and quiet for a while; never one that is pinned."""
    quiet_since = now - QUIET_FOR
    rows = (
        Replica.objects.filter(status=ReplicaStatus.READY, model__min_replicas=0)
        .filter(
            Q(model__state=State.DROWSY)
            | Q(model__state=State.AWAKE, model__state_changed_at__lte=quiet_since)
        )
        .values_list(
            "model_id", "model__team_id", "model__state", "model__state_changed_at", "node"
        )
        .annotate(
            memory=Sum("revision__memory_mb"), cpu=Sum("revision__cpus"), gpu=Sum("revision__gpus")
        )
        .order_by()
    )
    warm = _in_a_warm_window({row[0] for row in rows}, now=now)
    found = [row for row in rows if row[0] not in warm]
    wakes, wake_seconds = _habits({row[0] for row in found}, since=now - HISTORY)
    for model_id, team_id, state, since, node, memory, cpus, gpus in found:
        if state == State.AWAKE and not _is_quiet(reports, model_id):
            continue
        value = worth(
            wakes=wakes.get(model_id, 0),
            window_seconds=HISTORY.total_seconds(),
            quiet_seconds=(now - since).total_seconds(),
            wake_seconds=wake_seconds.get(model_id, USUAL_WAKE_SECONDS),
        )
        amount = Amount(memory, cpus, gpus)
        yield Candidate(model_id, team_id, node, amount, value, awake=state == State.AWAKE)


def _in_a_warm_window(model_ids: set[int], *, now: datetime) -> set[int]:
    named = HostedModel.objects.filter(pk__in=model_ids).exclude(warm_windows=[])
    models = named.select_related("revision")
    return {each.pk for each in models if warmth.since(each, now=now) is not None}


def _habits(
    model_ids: set[int], *, since: datetime
) -> tuple[Mapping[int, int], Mapping[int, float]]:
    """How often each was woken since then, and the seconds a cold start takes it."""
    woken = Transition.objects.filter(
        model_id__in=model_ids, to_state=State.AWAKENING, at__gte=since
    )
    wakes = woken.values_list("model_id").annotate(Count("pk")).order_by()
    started = Replica.objects.filter(
        model_id__in=model_ids, ready_at__isnull=False, created_at__gte=since
    )
    took = Avg(F("ready_at") - F("created_at"))
    seconds = started.values_list("model_id").annotate(took=took).order_by()
    return dict(wakes), {model_id: each.total_seconds() for model_id, each in seconds}


def _reports(*, now: datetime) -> draining.Reports | None:
    try:
        return draining.read_reports(now=now)
    except redis.RedisError:
        return None  # nobody can say who is quiet


def _is_quiet(reports: draining.Reports | None, model_id: int) -> bool:
    return reports is not None and all(
        not report.in_flight
        and not report.queued
        and report.idle_seconds >= QUIET_FOR.total_seconds()
        for report in reports.of(model_id)
    )
