"""What is kept of a wake, whatever became of it, and what is learned from the last ones."""

from datetime import timedelta

import pytest

from hosting import route_table
from hosting.lifecycle import machine, operations, wakes
from hosting.lifecycle.reconcile import reconcile
from hosting.models import HostedModel, Wake
from hosting.protocols.base import Readiness
from hosting.states import Event
from hosting.wire import Asker
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db

ASKED = Asker(
    asked_at=(NOON - timedelta(milliseconds=40)).timestamp(),
    token_id=5,
    route="query",
    method="POST",
    address="203.0.113.9",
)


def ask(model: HostedModel, *, now=NOON, asker: Asker | None = ASKED) -> None:
    operations.wake(model, cause="request", now=now, asker=asker)


def sleep_deeply(model: HostedModel, tools, clock) -> None:
    operations.sleep(model, cause="test", now=clock.advance(minutes=1))
    clock.advance(minutes=20)  # nobody reports: the drain times out
    reconcile(model.pk, tools=tools)


def test_a_wake_that_fails_is_kept_with_its_reason(model, tools, runtime, probe, clock):
    ask(model)
    probe.asks = 1_000
    clock.on_sleep = lambda _: runtime.exit(runtime.started[0], exit_code=3)

    reconcile(model.pk, tools=tools)

    wake = model.wakes.get()
    assert (wake.outcome, wake.token_id) == ("failed", 5)
    assert "code 3" in wake.reason
    assert wake.started_at is not None
    assert wake.replica.name == runtime.started[0]


def test_a_wake_that_was_called_off_is_kept(model, clock):
    ask(model)

    operations.sleep(model, cause="ada@example.org", now=clock.advance(seconds=2))

    wake = model.wakes.get()
    assert (wake.outcome, wake.seconds) == ("given_up", 2.04)


def test_a_worker_that_died_takes_no_wake_with_it(model, tools, runtime, clock):
    ask(model)
    runtime.start_then_raise = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reconcile(model.pk, tools=tools)

    clock.advance(seconds=60)
    reconcile(model.pk, tools=tools)

    wake = model.wakes.get()
    assert (wake.outcome, wake.route, wake.address) == ("awake", "query", "203.0.113.9")
    assert wake.seconds == 60.04


def test_a_wake_says_who_asked_and_when_each_step_was_done(model, tools, probe, clock):
    ask(model)
    probe.asks = 4
    clock.advance(milliseconds=5)

    reconcile(model.pk, tools=tools)

    wake = model.wakes.get()
    assert (wake.cause, wake.route, wake.method) == ("request", "query", "POST")
    assert [name for name, _ in wake.moments] == [
        "asked", "taken", "prepared", "started", "listening", "ended",
    ]  # fmt: skip
    moments = [at for _, at in wake.moments]
    assert moments == sorted(moments)
    assert wake.seconds == pytest.approx(0.040 + 0.005 + 3 * 0.010)


def test_nobody_listens_until_somebody_does(model, tools, probe, clock):
    probe.verdict = Readiness.CLOSED
    ask(model)

    def listen(now) -> None:
        probe.verdict = (
            Readiness.WAITING if now < NOON + timedelta(seconds=0.5) else Readiness.READY
        )
        if now < NOON + timedelta(seconds=0.2):
            probe.verdict = Readiness.CLOSED

    clock.on_sleep = listen

    reconcile(model.pk, tools=tools)

    wake = model.wakes.get()
    assert wake.listening_at == NOON + timedelta(seconds=0.2)
    assert wake.ended_at == NOON + timedelta(seconds=0.5)


def test_a_drowsy_model_is_resumed_and_nothing_was_started(model, tools, say, routes, clock):
    ask(model)
    reconcile(model.pk, tools=tools)
    later = clock.advance(minutes=10)
    machine.apply(model, Event.IDLE, now=later)
    say(model, at=later, released=True)
    reconcile(model.pk, tools=tools)
    ask(model, now=clock.advance(minutes=1))
    clock.advance(milliseconds=12)

    reconcile(model.pk, tools=tools)

    wake = model.wakes.first()
    assert wake.resumed
    assert [name for name, _ in wake.moments] == ["asked", "taken", "ended"]
    assert model.wakes.count() == 2


def test_a_router_whose_clock_is_ahead_makes_no_step_negative(model, tools):
    ahead = Asker(asked_at=(NOON + timedelta(seconds=3)).timestamp())
    ask(model, asker=ahead)

    reconcile(model.pk, tools=tools)

    wake = model.wakes.get()
    assert wake.asked_at == wake.taken_at == NOON


def test_a_person_is_kept_by_name(model, tools):
    operations.wake(model, cause="ada@example.org", now=NOON)

    reconcile(model.pk, tools=tools)

    assert model.wakes.get().cause == "ada@example.org"


def test_a_request_while_draining_is_no_wake(model, tools, clock):
    ask(model)
    reconcile(model.pk, tools=tools)
    operations.sleep(model, cause="test", now=clock.advance(minutes=1))

    ask(model, now=clock.advance(seconds=1))

    assert model.wakes.count() == 1


def test_a_wake_reads_and_writes_no_more_than_one_row_for_its_record(
    model, tools, django_assert_num_queries
):
    ask(model)

    with django_assert_num_queries(1):
        wakes.record(model, target=model.current_state, replica=None, reason="", now=NOON)


def test_the_route_carries_what_the_last_wakes_took(model, tools, probe, clock, routes):
    for pause in (100, 200, 300):
        probe.asked.clear()
        probe.asks = pause // 10 + 1
        ask(model, now=clock.now(), asker=None)
        reconcile(model.pk, tools=tools)
        sleep_deeply(model, tools, clock)

    model.refresh_from_db()
    learned = route_table.build(model).wake_seconds

    assert Wake.objects.filter(outcome="awake").count() == 3
    assert learned == 0.2
    assert model.revision.slow_wake_seconds == 0.28


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([], (None, None)),
        ([1.234], (1.23, 1.23)),
        ([1.0, 3.0], (2.0, 2.8)),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 11], (1.0, 2.0)),
    ],
)
def test_the_usual_time_is_the_median_and_the_slow_one_what_nine_in_ten_stay_below(
    seconds, expected
):
    assert wakes.typical(seconds) == expected


def test_only_the_last_twenty_wakes_of_the_revision_count(model):
    revision = model.revision
    for number in range(30):
        asked = NOON + timedelta(hours=number)
        seconds = 100 if number < 10 else 2
        Wake.objects.create(
            model=model, revision=revision, cause="request", outcome="awake",
            asked_at=asked, taken_at=asked, ended_at=asked + timedelta(seconds=seconds),
        )  # fmt: skip

    wakes.learn(revision)

    assert (revision.wake_seconds, revision.slow_wake_seconds) == (2.0, 2.0)


def test_what_a_wake_waited_for_its_image_is_not_expected_again(model):
    Wake.objects.create(
        model=model, revision=model.revision, cause="request", outcome="awake", asked_at=NOON,
        taken_at=NOON, prepared_at=NOON + timedelta(minutes=4),
        ended_at=NOON + timedelta(minutes=4, seconds=3),
    )  # fmt: skip

    wakes.learn(model.revision)

    assert model.revision.wake_seconds == 3.0


def test_the_route_says_who_may_not_wake(model):
    token = model.tokens.get()
    token.may_wake = False
    token.save(update_fields=["may_wake"])
    HostedModel.objects.filter(pk=model.pk).update(
        wake_routes=["query"], wake_methods=["POST", "GET"], wake_without_token=False
    )

    route = route_table.build(HostedModel.objects.get(pk=model.pk))

    assert route.no_wake_routes == ("status", "info", "other")
    assert route.no_wake_methods == ("HEAD", "PUT", "PATCH", "DELETE")
    assert route.no_wake_tokens == (0, token.pk)
