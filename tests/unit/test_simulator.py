"""Idle timeouts replayed: what must hold for any calls, and a few worked out by hand."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosting.metering.simulator import Call, Comeback, Outcome, replay

HOUR = 3600.0
COMEBACK = Comeback(cold_seconds=4.0, resume_seconds=0.05, paused_for_seconds=600.0)
calls = st.lists(
    st.builds(
        lambda start, length, callers: Call(start, start + length, callers),
        st.floats(0, 86_400),
        st.floats(0, 300),
        st.integers(1, 50),
    ),
    max_size=60,
)
timeouts = st.floats(1, 100_000)


def run(found: list[Call], timeout: float | None, *, until: float = 86_400.0) -> Outcome:
    return replay(found, idle_timeout_seconds=timeout, comeback=COMEBACK, since=0.0, until=until)


def test_a_model_nobody_calls_costs_nothing():
    assert run([], 300) == Outcome(300)


def test_calls_close_together_are_one_stay():
    outcome = run([Call(100, 110), Call(200, 201), Call(450, 460)], 300)

    assert outcome.cold_starts == 1
    assert outcome.awake_seconds == 460 + 300 - 100


def test_a_call_within_the_time_it_is_paused_comes_back_quickly():
    outcome = run([Call(0, 10), Call(400, 401), Call(5_000, 5_001)], 300)

    assert (outcome.cold_starts, outcome.resumes) == (2, 1)
    assert outcome.wait_seconds == pytest.approx(4 + 0.05 + 4)


def test_everybody_who_comes_while_it_starts_waits_the_rest():
    outcome = run([Call(0, 10, callers=3), Call(1, 2), Call(4, 5)], 300)

    assert outcome.waited == 4
    assert outcome.wait_seconds == pytest.approx(3 * 4 + 3)


def test_a_stream_keeps_it_awake_as_long_as_it_lasts():
    assert run([Call(0, 2_000), Call(2_100, 2_101)], 300).cold_starts == 1


def test_a_short_call_does_not_cut_a_long_one_short():
    assert run([Call(0, 2_000), Call(1, 2), Call(2_200, 2_201)], 300).cold_starts == 1


def test_never_sleeping_makes_nobody_wait():
    assert run([Call(0, 1), Call(80_000, 80_001)], None) == Outcome(None, awake_seconds=86_400)


def test_nothing_is_awake_after_the_end_of_the_window():
    assert run([Call(86_390, 86_395)], 300).awake_seconds == 10


@given(calls, timeouts, timeouts)
def test_a_longer_timeout_costs_no_less_and_lets_no_more_wait(found, one, other):
    short, long = run(found, min(one, other)), run(found, max(one, other))

    assert long.awake_seconds >= short.awake_seconds - 1e-6
    assert long.cold_starts <= short.cold_starts
    assert long.waited <= short.waited
    assert long.wait_seconds <= short.wait_seconds + 1e-6


@given(calls, timeouts, st.randoms(use_true_random=False))
def test_the_order_of_the_log_changes_nothing(found, timeout, random: Random):
    shuffled = random.sample(found, len(found))

    one, other = run(found, timeout), run(shuffled, timeout)

    assert one.awake_seconds == pytest.approx(other.awake_seconds)
    assert (one.cold_starts, one.resumes, one.waited) == (
        other.cold_starts,
        other.resumes,
        other.waited,
    )


@given(calls, timeouts)
def test_it_is_never_awake_longer_than_always_nor_starts_more_often_than_called(found, timeout):
    outcome = run(found, timeout)

    assert 0 <= outcome.awake_seconds <= run(found, None).awake_seconds
    assert outcome.cold_starts + outcome.resumes <= len(found)
    assert bool(outcome.cold_starts) == bool([each for each in found if each.start < 86_400])
    assert outcome.waited <= sum(each.callers for each in found)


@given(calls, timeouts)
def test_it_sleeps_between_any_two_stays(found, timeout):
    """Worked out another way: a gap longer than the timeout, after all calls before it ended."""
    ordered = sorted((each for each in found if each.start < 86_400), key=lambda each: each.start)
    quiet = 0.0
    gaps = 0
    for before, after in pairwise(ordered):
        quiet = max(quiet, before.end)
        gaps += after.start > quiet + timeout
    outcome = run(found, timeout)

    assert outcome.cold_starts + outcome.resumes == (gaps + 1 if ordered else 0)
