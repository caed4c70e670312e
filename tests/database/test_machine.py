"""The single writer: one winner, one row of history, no matter how many try."""

import threading

import pytest
from django.db import connection

from hosting.lifecycle import machine
from hosting.models import HostedModel
from hosting.states import MOVES, Event, State, after
from tests.database.conftest import NOON


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("routes")
def test_of_many_who_wake_at_once_exactly_one_moves_the_model(model):
    moved = []
    start = threading.Barrier(8)

    def wake() -> None:
        mine = HostedModel.objects.get(pk=model.pk)
        start.wait()
        moved.append(machine.apply(mine, Event.REQUEST, now=NOON))
        connection.close()

    threads = [threading.Thread(target=wake) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(moved) == [False] * 7 + [True]
    assert model.transitions.count() == 1


@pytest.mark.django_db
def test_a_change_that_came_between_does_not_lose_the_event(model, monkeypatch):
    real, raced = HostedModel.refresh_from_db, []

    def refresh_then_lose_the_race(self, *arguments, **keywords):
        real(self, *arguments, **keywords)
        if not raced:
            raced.append(True)
            HostedModel.objects.filter(pk=self.pk).update(generation=self.generation + 1)

    monkeypatch.setattr(HostedModel, "refresh_from_db", refresh_then_lose_the_race)

    assert machine.apply(model, Event.REQUEST, now=NOON)
    assert model.state == State.AWAKENING


@pytest.mark.django_db
def test_an_event_that_means_nothing_now_changes_nothing(model):
    assert not machine.apply(model, Event.DRAINED, now=NOON)
    assert model.transitions.count() == 0


@pytest.mark.django_db
def test_history_keeps_the_cause_even_a_long_one(model):
    machine.apply(model, Event.REQUEST, now=NOON, cause="x" * 500)

    assert model.transitions.get().cause == "x" * 200


def test_every_state_can_be_left_and_reached():
    assert {source for source, _ in MOVES} == set(State)
    assert set(MOVES.values()) == set(State)


def test_an_unknown_move_is_no_move():
    assert after(State.ASLEEP, Event.READY) is None
