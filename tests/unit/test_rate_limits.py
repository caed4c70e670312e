"""Rate limits: as people write them, and as a router keeps them."""

import pytest

from hosting import rates
from hosting.errors import InvalidValue
from hosting.router.paces import Pace, Paces
from hosting.wire import Rate, Route

TEN_A_SECOND = Rate(10, 1)


@pytest.mark.parametrize(
    ("text", "rate", "spelled"),
    [
        ("10/second", Rate(10, 1), "10/second"),
        (" 600 / min ", Rate(600, 60), "600/minute"),
        ("5 per s", Rate(5, 1), "5/second"),
        ("1/m", Rate(1, 60), "1/minute"),
        ("", None, ""),
    ],
)
def test_a_limit_is_read_however_it_is_spelled(text: str, rate: Rate | None, spelled: str):
    assert rates.read(text) == rate
    assert rates.spelled(text) == spelled


@pytest.mark.parametrize("text", ["0/second", "ten/second", "10", "10/hour", "-1/s", "9999999/s"])
def test_what_is_no_limit_is_refused_and_says_how_to_write_one(text: str):
    with pytest.raises(InvalidValue, match="10/second") as refused:
        rates.read(text)

    assert refused.value.field == "rate_limit"


def taken(pace: Pace, *, until: float, processes: int = 1) -> int:
    """How many requests a caller gets through who tries all the time from 0 on."""
    count, now = 0, 0.0
    while now < until:
        if not pace.wait(now=now, processes=processes):
            pace.take(now=now, processes=processes)
            count += 1
        now += 0.001
    return count


def test_a_full_bucket_goes_at_once_and_then_evenly():
    pace = Pace(TEN_A_SECOND)

    assert taken(pace, until=0.05) == 10
    assert pace.wait(now=0.05, processes=1) == pytest.approx(0.05)


def test_over_a_minute_it_is_the_limit_and_one_bucket():
    assert taken(Pace(TEN_A_SECOND), until=60.0) == pytest.approx(610, abs=1)


def test_routers_share_a_limit():
    assert taken(Pace(TEN_A_SECOND), until=60.0, processes=4) == pytest.approx(610 / 4, abs=2)


def test_a_share_below_one_request_still_lets_one_through():
    pace = Pace(Rate(1, 1))

    assert pace.wait(now=100.0, processes=3) == 0
    pace.take(now=100.0, processes=3)
    assert pace.wait(now=100.0, processes=3) == pytest.approx(3)


def test_turns_given_ahead_of_time_follow_one_another():
    pace = Pace(TEN_A_SECOND)
    for _ in range(10):
        pace.take(now=0.0, processes=1)

    waits = []
    for _ in range(3):
        waits.append(pace.wait(now=0.0, processes=1))
        pace.take(now=0.0, processes=1)

    assert waits == pytest.approx([0.1, 0.2, 0.3])


def test_both_the_model_and_the_token_must_allow_it():
    paces = Paces()
    paces.apply(TEN_A_SECOND, {7: Rate(1, 60)})

    paces.take(7, now=0.0, processes=1)

    assert paces.wait(7, now=0.0, processes=1) == pytest.approx(60)
    assert paces.wait(8, now=0.0, processes=1) == 0


def test_a_limit_that_stays_goes_on_where_it_was():
    paces = Paces()
    paces.apply(Rate(1, 60), {})
    paces.take(0, now=0.0, processes=1)

    paces.apply(Rate(1, 60), {7: TEN_A_SECOND})
    stayed = paces.wait(0, now=0.0, processes=1)
    paces.apply(Rate(2, 60), {})

    assert stayed == pytest.approx(60)
    assert paces.wait(0, now=0.0, processes=1) == 0


def test_limits_travel_with_the_route():
    route = Route(
        model_id=1, subdomain="a", generation=1, rate=TEN_A_SECOND, token_rates={"ab": Rate(1, 60)}
    )

    assert Route.from_json(route.to_json()) == route
