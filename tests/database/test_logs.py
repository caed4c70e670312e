"""Lines are kept once, in order, cleaned and bounded, whoever dies in between."""

import threading
from datetime import timedelta

import pytest
import redis
from django.db import DatabaseError, OperationalError

from hosting import route_table, wire
from hosting.errors import RuntimeUnavailable
from hosting.lifecycle import operations, replicas
from hosting.lifecycle.reconcile import reconcile
from hosting.logs import collector, keeping, reading
from hosting.logs.buffer import Taken
from hosting.logs.collector import Collector
from hosting.models import LogLine, Replica, ReplicaLog
from hosting.runtimes.base import Output, Stream
from tests.database.conftest import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def replica(model, tools, runtime, routes):
    """A replica that serves."""
    operations.wake(model, cause="test", now=NOON)
    reconcile(model.pk, tools=tools)
    return Replica.objects.select_related("model").get(model=model)


def texts(model):
    return [line.text for line in reading.lines(model)]


def taken(*outputs, dropped=0):
    return Taken(outputs, dropped)


def out(at, text, stream=Stream.OUT):
    return Output(at, stream, text)


def test_lines_that_two_workers_hold_are_kept_once(replica, runtime):
    runtime.write_log(replica.name, "one\ntwo\n")
    keeping.collect(replica, runtime=runtime)
    runtime.write_log(replica.name, "three\n")

    keeping.collect(replica, runtime=runtime)
    keeping.collect(replica, runtime=runtime)

    assert texts(replica.model) == ["one", "two", "three"]


def test_a_transaction_that_fails_keeps_neither_lines_nor_the_time_of_them(
    replica, runtime, monkeypatch
):
    runtime.write_log(replica.name, "one\n")
    with monkeypatch.context() as broken:
        broken.setattr(keeping, "_trim", lambda _: (_ for _ in ()).throw(DatabaseError("away")))
        with pytest.raises(DatabaseError):
            keeping.collect(replica, runtime=runtime)

    keeping.collect(replica, runtime=runtime)

    assert texts(replica.model) == ["one"]


def test_a_line_of_one_stream_that_comes_after_its_time_is_not_lost(replica):
    keeping.keep(replica, taken(out(100, "out")))

    keeping.keep(replica, taken(out(99, "err", Stream.ERR)))

    assert texts(replica.model) == ["out", "err"]


def test_what_is_said_until_the_very_end_is_kept_when_a_model_falls_asleep(
    replica, model, runtime, tools
):
    runtime.last_words = "Bye"

    replicas.stop(replica, tools=tools)

    assert runtime.find(replica.name) is None
    assert texts(model) == ["Bye"]


def test_the_last_words_of_a_crash_are_kept_clean(replica, model, runtime, tools):
    runtime.write_log(replica.name, "\x1b[31mTraceback\x1b[0m: no weights\n", stream=Stream.ERR)
    runtime.exit(replica.name)

    reconcile(model.pk, tools=tools)

    replica.refresh_from_db()
    assert replica.last_log_lines == "Traceback: no weights\n"
    assert texts(model) == ["Traceback: no weights"]


def test_lines_stay_across_sleep_and_the_next_replica_adds_to_them(
    replica, model, runtime, tools, clock
):
    runtime.write_log(replica.name, "first life\n")
    replicas.stop(replica, tools=tools)
    reconcile(model.pk, tools=tools)
    operations.wake(model, cause="test", now=clock.advance(minutes=1))
    reconcile(model.pk, tools=tools)
    second = model.replicas.order_by("-pk").first()
    runtime.write_log(second.name, "second life\n")

    keeping.collect(second, runtime=runtime)

    assert texts(model) == ["first life", "second life"]


def test_times_are_kept_to_the_microsecond(replica):
    keeping.keep(replica, taken(out(1_780_315_200_123_456_789, "now")))

    line = LogLine.objects.get()

    assert line.at == NOON + timedelta(microseconds=123_456)


def test_a_replica_has_no_more_lines_than_it_may_and_the_oldest_go(replica, settings):
    settings.LOG_BYTES_PER_REPLICA = 100_000
    for start in range(0, 3000, 100):
        lines = [out(number + 1, f"{number} {'x' * 100}") for number in range(start, start + 100)]
        keeping.keep(replica, taken(*lines))

    kept = texts(replica.model)

    size = sum(len(text) + 64 for text in kept)
    assert 80_000 < size <= 100_000
    assert kept[-1].startswith("2999 ")
    assert ReplicaLog.objects.get().kept_bytes == size


def test_a_model_has_no_more_lines_than_it_may_whatever_its_replicas_have(replica, model, settings):
    settings.LOG_BYTES_PER_MODEL = 100_000
    other = Replica.objects.create(model=model, revision=model.revision, runtime="fake")
    for number in range(20):
        for each in (replica, other):
            lines = [out(number * 100 + n, "x" * 100) for n in range(1, 60)]
            keeping.keep(each, taken(*lines))

    assert sum(ReplicaLog.objects.values_list("kept_bytes", flat=True)) <= 100_000
    assert LogLine.objects.count() * 164 <= 100_000


def test_a_spammer_is_told_how_much_was_dropped(replica):
    keeping.keep(replica, taken(out(5, "newest"), dropped=12_345))

    assert texts(replica.model) == [
        "12,345 lines were dropped here: it wrote faster than lines are kept.",
        "newest",
    ]
    assert ReplicaLog.objects.get().dropped_lines == 12_345


def test_a_deleted_model_leaves_no_line_and_gets_none(replica, model, runtime):
    runtime.write_log(replica.name, "private\n")
    keeping.collect(replica, runtime=runtime)

    operations.delete_model(model, cause="test", now=NOON)
    runtime.write_log(replica.name, "still stopping\n")
    keeping.collect(replica, runtime=runtime)

    assert not LogLine.objects.exists()


def test_the_collector_follows_what_runs_and_goes_on_where_it_was(replica, runtime):
    runtime.write_log(replica.name, "one\n")
    collecting = Collector(runtime)
    look(collecting)
    collecting.keep(now=0)
    runtime.write_log(replica.name, "two\n")

    look(collecting)
    collecting.keep(now=1)

    assert texts(replica.model) == ["one", "two"]


def test_a_new_collector_tells_nothing_twice(replica, runtime):
    runtime.write_log(replica.name, "one\n")
    for _ in range(2):
        collecting = Collector(runtime)
        look(collecting)
        collecting.keep(now=0)

    assert texts(replica.model) == ["one"]


def test_looking_at_replicas_that_are_followed_reads_no_more_than_their_ids(
    replica, runtime, django_assert_num_queries
):
    collecting = Collector(runtime)
    look(collecting)
    collecting._following[replica.pk].over = False  # as while it is read

    with django_assert_num_queries(1) as asked:
        collecting.look()

    assert "SELECT id FROM" in asked[0]["sql"]


def test_a_replica_that_is_gone_is_followed_no_more(replica, runtime):
    collecting = Collector(runtime)
    look(collecting)
    Replica.objects.update(status="gone")

    look(collecting)

    assert collecting._following == {}


def test_an_engine_that_is_away_is_asked_again(replica, runtime):
    runtime.write_log(replica.name, "one\n")
    runtime.available = False
    collecting = Collector(runtime)
    look(collecting)
    collecting.keep(now=0)
    runtime.available = True

    look(collecting)
    collecting.keep(now=1)

    assert texts(replica.model) == ["one"]


def test_a_replica_that_writes_too_much_rests_before_more_is_kept(replica, runtime):
    runtime.write_log(replica.name, ("x" * 1000 + "\n") * 1000)
    collecting = Collector(runtime)
    look(collecting)
    collecting.keep(now=0)
    kept = LogLine.objects.count()
    runtime.write_log(replica.name, "more\n")
    look(collecting)

    collecting.keep(now=1)
    assert LogLine.objects.count() == kept
    collecting.keep(now=collector.REST_SECONDS)
    assert texts(replica.model)[-1] == "more"


def test_what_can_not_be_kept_of_one_replica_costs_the_others_nothing(
    replica, model, runtime, monkeypatch
):
    other = Replica.objects.create(
        model=model, revision=model.revision, runtime="fake", started_at=NOON
    )
    runtime.write_log(replica.name, "one\n")
    runtime.write_log(other.name, "two\n")
    kept = keeping.keep

    def fails_for_the_first(which, taken):
        if which.pk == replica.pk:
            raise ValueError("a bug")
        return kept(which, taken)

    monkeypatch.setattr(collector, "keep", fails_for_the_first)
    collecting = Collector(runtime)
    look(collecting)
    collecting.keep(now=0)

    assert texts(model) == ["two"]


def test_a_database_that_is_away_is_told_and_nothing_is_lost(replica, runtime, monkeypatch):
    runtime.write_log(replica.name, "one\n")
    collecting = Collector(runtime)
    look(collecting)

    def away(*_):
        raise OperationalError("away")

    with monkeypatch.context() as broken:
        broken.setattr(collector, "keep", away)
        with pytest.raises(OperationalError):
            collecting.keep(now=0)
    again = Collector(runtime)
    look(again)
    again.keep(now=1)

    assert texts(replica.model) == ["one"]


def test_stopping_says_that_the_engine_is_away_and_nothing_is_lost(replica, runtime, tools):
    runtime.write_log(replica.name, "one\n")
    runtime.available = False
    with pytest.raises(RuntimeUnavailable):
        replicas.stop(replica, tools=tools)
    runtime.available = True

    replicas.stop(replica, tools=tools)

    assert texts(replica.model) == ["one"]


@pytest.mark.django_db(transaction=True)
def test_open_pages_are_told_of_new_lines(replica, runtime):
    with route_table.connection().pubsub() as heard:
        heard.subscribe(wire.LOGS_CHANNEL)
        heard.get_message(timeout=5)
        runtime.write_log(replica.name, "one\n")

        keeping.collect(replica, runtime=runtime)

        hint = heard.get_message(timeout=5)["data"]
    assert replica.model.subdomain in hint
    assert "one" not in hint


@pytest.mark.django_db(transaction=True)
def test_a_line_is_kept_when_redis_is_away(replica, runtime, monkeypatch):
    def away():
        raise redis.ConnectionError

    monkeypatch.setattr(route_table, "connection", away)
    runtime.write_log(replica.name, "one\n")

    keeping.collect(replica, runtime=runtime)

    assert texts(replica.model) == ["one"]


def look(collecting: Collector) -> None:
    """Look, and wait until the readers have read what there is."""
    before = set(threading.enumerate())
    collecting.look()
    for reader in set(threading.enumerate()) - before:
        reader.join(5)
