"""Room for replicas: nothing is promised twice, the right one goes, and who waits knows why."""

from datetime import timedelta

import pytest
from django.conf import settings

from accounts.models import Team
from hosting import nudges, route_table, wire
from hosting.lifecycle import operations
from hosting.lifecycle.capacity import set_team_limit
from hosting.lifecycle.holdings import amount_of, read_held
from hosting.lifecycle.reconcile import reconcile
from hosting.models import HostedModel, Replica, TeamLimit
from hosting.runtimes.base import LOCAL, Node
from hosting.states import State
from tests.database.conftest import NOON
from tests.factories import make_model

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]


@pytest.fixture
def room_for_two(runtime, monkeypatch):
    """A machine with room for two of the models that `host_model` makes."""
    runtime.machines = [Node(LOCAL, memory_mb=1100, cpus=64)]
    monkeypatch.setattr(settings, "NODE_MEMORY_SHARE", 1.0)


@pytest.fixture
def nudged(monkeypatch):
    """The models a worker was asked to look at."""
    found = []
    monkeypatch.setattr(nudges, "reconcile", lambda _, *, model_id: found.append(model_id))
    return found


@pytest.fixture
def wake(tools, clock):
    def _wake(model):
        operations.wake(model, cause="request", now=clock.now())
        return look_after(model, tools)

    return _wake


@pytest.fixture
def drowse(wake):
    """Wake a model and let it doze, its memory kept."""

    def _drowse(model, *, ago=timedelta(0)):
        wake(model)
        HostedModel.objects.filter(pk=model.pk).update(
            state=State.DROWSY, state_changed_at=NOON - ago
        )
        model.refresh_from_db()
        return model

    return _drowse


def look_after(model, tools):
    reconcile(model.pk, tools=tools)
    model.refresh_from_db()
    return model


def route_of(model):
    return wire.Route.from_json(route_table.connection().hget(wire.ROUTES_KEY, model.subdomain))


@pytest.mark.usefixtures("room_for_two")
def test_what_does_not_fit_waits_and_says_why(host_model, wake, runtime):
    busy = [wake(host_model()), wake(host_model())]

    waiting = wake(host_model())

    assert [each.state for each in busy] == [State.AWAKE, State.AWAKE]
    assert waiting.state == State.AWAKENING
    assert "512 MiB of memory" in waiting.wait_reason
    assert "until a model falls asleep" in waiting.wait_reason
    assert len(runtime.started) == 2


@pytest.mark.usefixtures("room_for_two")
def test_routers_are_told_why_a_wake_waits_and_when_it_goes_on(
    host_model, wake, tools, django_capture_on_commit_callbacks
):
    busy, _ = wake(host_model()), wake(host_model())
    with django_capture_on_commit_callbacks(execute=True):
        waiting = wake(host_model())
    assert "512 MiB" in route_of(waiting).wait_reason

    HostedModel.objects.filter(pk=busy.pk).update(state=State.ASLEEP)
    look_after(busy, tools)
    with django_capture_on_commit_callbacks(execute=True):
        look_after(waiting, tools)

    assert waiting.state == State.AWAKE
    assert (waiting.wait_reason, route_of(waiting).wait_reason) == ("", None)


@pytest.mark.usefixtures("room_for_two")
def test_a_waiting_wake_is_told_when_something_is_gone(host_model, wake, tools, nudged):
    busy, _ = wake(host_model()), wake(host_model())
    waiting = wake(host_model())
    HostedModel.objects.filter(pk=busy.pk).update(state=State.ASLEEP)
    nudged.clear()

    look_after(busy, tools)

    assert nudged == [waiting.pk]


@pytest.mark.usefixtures("room_for_two")
def test_a_drowsy_model_goes_for_one_that_is_called(host_model, wake, drowse, tools):
    drowsy, _ = drowse(host_model()), wake(host_model())

    called = wake(host_model())
    drowsy.refresh_from_db()
    assert (drowsy.state, called.state) == (State.ASLEEP, State.AWAKENING)
    assert "are being stopped" in called.wait_reason
    look_after(drowsy, tools)

    assert look_after(called, tools).state == State.AWAKE
    assert f"wanted by {called}" in drowsy.transitions.first().cause


@pytest.mark.usefixtures("room_for_two")
def test_asking_again_while_one_is_on_its_way_out_stops_no_other(host_model, wake, drowse, tools):
    first, second = drowse(host_model(), ago=timedelta(hours=1)), drowse(host_model())
    called = wake(host_model())

    look_after(called, tools)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == (State.ASLEEP, State.DROWSY)


@pytest.mark.usefixtures("room_for_two")
def test_the_drowsy_model_that_is_used_least_goes_first(host_model, wake, drowse):
    often = host_model()
    for hours in range(1, 6):
        often.transitions.create(
            generation=1000 + hours,
            from_state="asleep",
            to_state="awakening",
            event="request",
            at=NOON - timedelta(hours=hours),
        )
    often, seldom = drowse(often), drowse(host_model())

    wake(host_model())

    often.refresh_from_db()
    seldom.refresh_from_db()
    assert (often.state, seldom.state) == (State.DROWSY, State.ASLEEP)


@pytest.mark.usefixtures("room_for_two")
def test_a_pinned_model_is_not_put_to_sleep_for_another(host_model, wake, drowse):
    pinned, _ = drowse(host_model()), wake(host_model())
    HostedModel.objects.filter(pk=pinned.pk).update(min_replicas=1)

    wake(host_model())

    pinned.refresh_from_db()
    assert pinned.state == State.DROWSY


@pytest.mark.usefixtures("room_for_two")
def test_a_model_in_its_warm_window_is_not_put_to_sleep_for_another(host_model, wake, drowse):
    warm, _ = drowse(host_model()), wake(host_model())
    HostedModel.objects.filter(pk=warm.pk).update(warm_windows=["Mon-Fri 08:00-18:00"])

    wake(host_model())

    warm.refresh_from_db()
    assert warm.state == State.DROWSY


@pytest.mark.usefixtures("room_for_two")
def test_a_greedy_team_takes_nothing_from_one_within_its_share(host_model, wake, drowse):
    modest = drowse(make_model(Team.objects.create(name="Modest")).model)
    wake(host_model())

    greedy = wake(host_model())

    modest.refresh_from_db()
    assert (modest.state, greedy.state) == (State.DROWSY, State.AWAKENING)


@pytest.mark.usefixtures("room_for_two")
def test_an_awake_model_that_is_quiet_goes_when_nothing_drowsy_can(
    host_model, wake, clock, say, tools
):
    quiet, busy = wake(host_model()), wake(host_model())
    now = clock.advance(minutes=1)
    say(quiet, at=now, idle=55.0)
    say(busy, at=now, in_flight=1)

    wake(host_model())

    quiet.refresh_from_db()
    busy.refresh_from_db()
    assert (quiet.state, busy.state) == (State.DRAINING, State.AWAKE)


@pytest.mark.usefixtures("room_for_two")
def test_a_wake_that_waited_for_a_minute_is_passed_by_nobody(host_model, wake, clock, tools):
    small = wake(host_model(memory_mb=100))
    wake(host_model(memory_mb=600))
    big = wake(host_model(memory_mb=600))
    assert wake(host_model(memory_mb=100)).state == State.AWAKE  # it is not its turn yet

    clock.advance(seconds=61)
    HostedModel.objects.filter(pk=small.pk).update(state=State.ASLEEP)
    look_after(small, tools)
    late = wake(host_model(memory_mb=100))

    assert (big.state, late.state) == (State.AWAKENING, State.AWAKENING)
    assert "waited for longer" in late.wait_reason


def test_a_model_that_may_go_out_is_placed_where_that_is_walled_in(host_model, runtime, wake):
    runtime.machines = [
        Node("closed", memory_mb=64_000, cpus=64, lets_out=False),
        Node("open", memory_mb=4_000, cpus=4),
    ]

    abroad, at_home = wake(host_model(internet=True)), wake(host_model())

    assert [each.replicas.get().node for each in (abroad, at_home)] == ["open", "closed"]


def test_where_no_machine_lets_models_out_it_is_told_at_once(host_model, runtime, wake):
    runtime.machines = [Node("closed", memory_mb=64_000, cpus=64, lets_out=False)]

    model = wake(host_model(internet=True))

    assert model.state == State.FAILED
    assert "no machine lets models out" in model.failure_reason


@pytest.mark.usefixtures("room_for_two")
def test_what_no_machine_has_fails_at_once_and_says_so(host_model, wake):
    failed = wake(host_model(memory_mb=2048))

    assert failed.state == State.FAILED
    assert "2,048 MiB of memory, more than any machine has" in failed.failure_reason


def test_gpus_that_are_not_there_fail_at_once(host_model, wake):
    failed = wake(host_model(gpus=1))

    assert failed.state == State.FAILED
    assert "1 GPUs" in failed.failure_reason


def test_a_team_holds_no_more_than_its_limit(team, host_model, wake, tools):
    TeamLimit.objects.create(team=team, memory_mb=600)
    first = wake(host_model())

    second = wake(host_model())
    others = wake(make_model(Team.objects.create(name="Others")).model)

    assert (first.state, second.state, others.state) == ("awake", "awakening", "awake")
    assert "Its team may not hold 512 MiB of memory more" in second.wait_reason


def test_at_its_limit_a_team_gives_up_what_is_its_own(team, host_model, wake, drowse):
    TeamLimit.objects.create(team=team, memory_mb=600)
    foreign = drowse(make_model(Team.objects.create(name="Others")).model)
    own = drowse(host_model())

    wake(host_model())

    own.refresh_from_db()
    foreign.refresh_from_db()
    assert (own.state, foreign.state) == (State.ASLEEP, State.DROWSY)


def test_the_limit_of_the_installation_holds_for_teams_without_their_own(
    team, host_model, wake, monkeypatch
):
    monkeypatch.setattr(settings, "TEAM_MEMORY_MB", 400)
    assert wake(host_model()).state == State.FAILED

    TeamLimit.objects.create(team=team, memory_mb=4000)

    assert wake(host_model()).state == State.AWAKE


@pytest.mark.usefixtures("room_for_two")
def test_a_deploy_without_room_leaves_the_old_revision_serving(host_model, wake, tools, clock):
    serving, _ = wake(host_model()), wake(host_model())
    spec = operations.RevisionSpec(image="example.org/echo:2", protocol="http")
    revision = operations.deploy(serving, revision=spec, created_by=None)

    look_after(serving, tools)

    revision.refresh_from_db()
    assert serving.state == State.AWAKE
    assert serving.revision == revision
    assert revision.rejected_at is None
    assert serving.retry_at > clock.now()


def test_replicas_are_spread_over_the_nodes(host_model, wake, runtime):
    runtime.machines = [Node(name, memory_mb=4_000, cpus=8) for name in ("n1", "n2", "n3")]

    for _ in range(6):
        wake(host_model())

    nodes = Replica.objects.values_list("node", flat=True)
    assert sorted(nodes) == ["n1", "n1", "n2", "n2", "n3", "n3"]


def test_a_start_that_was_left_behind_is_not_counted_twice(model, runtime, wake):
    runtime.start_then_raise = RuntimeError("the worker died")
    with pytest.raises(RuntimeError):
        wake(model)
    assert read_held().by_node[LOCAL] == amount_of(model.revision)

    wake(model)

    assert Replica.objects.count() == 1
    assert model.state == State.AWAKE


def test_who_waits_for_its_teams_limit_asks_again_when_that_is_raised(
    team, host_model, wake, nudged, django_capture_on_commit_callbacks
):
    set_team_limit(team.pk, memory_mb=600)
    wake(host_model())
    waiting = wake(host_model())
    nudged.clear()

    with django_capture_on_commit_callbacks(execute=True):
        set_team_limit(team.pk, memory_mb=1200)

    assert nudged == [waiting.pk]
