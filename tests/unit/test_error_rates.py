"""When a revision fails more than the one before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosting.lifecycle.error_rates import LEAST_REQUESTS, Tally, jumped


@pytest.mark.parametrize(
    ("new", "before"),
    [
        (Tally(19, 19), Tally(100, 0)),  # too few requests to say anything
        (Tally(20, 2), Tally(100, 0)),  # two failures may be chance
        (Tally(1000, 60), Tally(1000, 30)),  # more, but not by much
        (Tally(100, 40), Tally(100, 40)),  # as bad as before
        (Tally(20, 20), Tally(5, 5)),  # what was before failed as well
    ],
)
def test_it_goes_on(new, before):
    assert not jumped(new, before)


@pytest.mark.parametrize(
    ("new", "before"),
    [
        (Tally(20, 20), Tally(100, 0)),
        (Tally(20, 6), Tally(100, 1)),
        (Tally(1000, 120), Tally(1000, 20)),
        (Tally(50, 50), Tally(100, 40)),  # a bad one became worse
        (Tally(20, 20), Tally()),  # nothing is known of the one before
    ],
)
def test_it_is_called_off(new, before):
    assert jumped(new, before)


@given(
    requests=st.integers(0, 5_000),
    before=st.builds(Tally, st.integers(0, 5_000), st.just(0)),
    errors=st.integers(0, 5_000),
)
def test_whoever_fails_no_more_often_is_never_called_off(requests, errors, before):
    errors = min(errors, requests)

    assert not jumped(Tally(requests, errors), Tally(max(requests, 1), errors))
    assert not jumped(Tally(requests, 0), before)
    assert not jumped(Tally(LEAST_REQUESTS - 1, LEAST_REQUESTS - 1), before)


@given(requests=st.integers(20, 5_000), errors=st.integers(0, 4_999))
def test_one_more_failure_never_saves_a_revision(requests, errors):
    errors = min(errors, requests - 1)
    before = Tally(500, 5)

    assert jumped(Tally(requests, errors), before) <= jumped(Tally(requests, errors + 1), before)
