"""Hours in which a model is kept awake, whatever the clocks do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosting.errors import InvalidValue
from hosting.lifecycle import warm_windows
from hosting.lifecycle.warm_windows import Window, open_since, parse, spans

BERLIN = "Europe/Berlin"
OFFICE = ["Mon-Fri 08:00-18:00"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Mon",
        "08:00-18:00",
        "Mon-Fri 8-18",
        "Mon-Fri 08:00-25:00",
        "Mon-Fri 08:61-18:00",
        "Mon-Fri 08:00-08:00",
        "Mon-Fri 24:00-08:00",
        "Foo 08:00-18:00",
        "Mon-Fri 08:00-18:00 Europe/Berlin",
    ],
)
def test_what_is_no_window_is_refused_with_an_example(line):
    with pytest.raises(InvalidValue) as refused:
        parse(line)

    assert refused.value.field == "warm_windows"


@pytest.mark.parametrize(
    ("line", "days", "shown"),
    [
        ("Mon-Fri 08:00-18:00", {0, 1, 2, 3, 4}, "Mon-Fri 08:00-18:00"),
        ("mon, wed ,fri 8:00 – 9:30", {0, 2, 4}, "Mon,Wed,Fri 08:00-09:30"),
        ("Sat-Sun 10:00-24:00", {5, 6}, "Sat-Sun 10:00-24:00"),
        ("Fri-Mon 22:00-06:00", {4, 5, 6, 0}, "Mon,Fri-Sun 22:00-06:00"),
        ("Every day 08:00-18:00", set(range(7)), "daily 08:00-18:00"),
        ("Monday-Thursday 00:00-12:00", {0, 1, 2, 3}, "Mon-Thu 00:00-12:00"),
    ],
)
def test_a_window_is_read_as_people_write_it_and_said_back_the_same_way(line, days, shown):
    window = parse(line)

    assert window.days == days
    assert str(window) == shown
    assert parse(shown) == window


@pytest.mark.parametrize(
    ("moment", "opened"),
    [
        ("2026-06-01 05:59:59", None),  # a Monday, 07:59:59 in Berlin
        ("2026-06-01 06:00", "2026-06-01 06:00"),
        ("2026-06-01 15:59:59", "2026-06-01 06:00"),
        ("2026-06-01 16:00", None),
        ("2026-06-06 10:00", None),  # a Saturday
        ("2026-12-01 07:30", "2026-12-01 07:00"),  # in winter an hour later
    ],
)
def test_a_window_is_open_from_its_first_minute_to_its_last(moment, opened):
    found = open_since(OFFICE, time_zone=BERLIN, now=at(moment))

    assert found == (opened and at(opened))


def test_a_window_over_midnight_ends_on_the_next_day():
    night = ["Fri 22:00-06:00"]

    assert spans(night, time_zone="UTC", since=at("2026-06-01"), until=at("2026-06-08")) == [
        (at("2026-06-05 22:00"), at("2026-06-06 06:00"))
    ]
    assert open_since(night, time_zone="UTC", now=at("2026-06-06 05:00"))
    assert not open_since(night, time_zone="UTC", now=at("2026-06-05 05:00"))


def test_in_spring_a_night_is_an_hour_shorter():
    (span,) = spans(
        ["Sat 22:00-06:00"], time_zone=BERLIN, since=at("2026-03-27"), until=at("2026-03-31")
    )

    assert span[1] - span[0] == timedelta(hours=7)


def test_in_autumn_a_night_is_an_hour_longer():
    (span,) = spans(
        ["Sat 22:00-06:00"], time_zone=BERLIN, since=at("2026-10-23"), until=at("2026-10-27")
    )

    assert span[1] - span[0] == timedelta(hours=9)


def test_an_hour_that_comes_twice_is_warm_twice():
    """02:00 to 03:00 on the night the clocks go back: from the first 02:00 to the second 03:00."""
    (span,) = spans(
        ["Sun 02:00-02:30"], time_zone=BERLIN, since=at("2026-10-24"), until=at("2026-10-26")
    )

    assert span == (at("2026-10-25 00:00"), at("2026-10-25 01:30"))


def test_an_hour_that_never_comes_makes_no_window_of_negative_length():
    found = spans(
        ["Sun 02:00-03:00"], time_zone=BERLIN, since=at("2026-03-28"), until=at("2026-03-30")
    )

    assert all(start < end for start, end in found)


def test_windows_that_touch_are_one():
    lines = ["Mon 08:00-12:00", "Mon 12:00-18:00", "Mon 09:00-10:00"]

    assert spans(lines, time_zone="UTC", since=at("2026-06-01"), until=at("2026-06-02")) == [
        (at("2026-06-01 08:00"), at("2026-06-01 18:00"))
    ]


def test_a_model_that_takes_long_is_woken_before_its_time():
    early = at("2026-06-01 05:59:30")

    assert open_since(OFFICE, time_zone=BERLIN, now=early, lead_seconds=29) is None
    assert open_since(OFFICE, time_zone=BERLIN, now=early, lead_seconds=30) == at(
        "2026-06-01 06:00"
    )


def test_the_last_minute_is_not_warm_for_the_sake_of_what_comes_after():
    """A lead looks forward only: at the end of a window nothing is longer than it says."""
    assert open_since(OFFICE, time_zone=BERLIN, now=at("2026-06-01 16:00"), lead_seconds=60) is None


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(InvalidValue) as refused:
        warm_windows.zone("Europe/Atlantis")

    assert refused.value.field == "time_zone"


@given(
    days=st.frozensets(st.integers(0, 6), min_size=1),
    start=st.integers(0, 1439),
    end=st.integers(0, 1440),
    moment=st.integers(1_767_225_600, 1_830_000_000),  # 2026 and 2027
)
def test_whether_it_is_open_agrees_with_when_it_is(days, start, end, moment):
    if start == end:
        return
    line, now = str(Window(days, start, end)), datetime.fromtimestamp(moment, UTC)
    week = timedelta(days=8)

    opened = open_since([line], time_zone=BERLIN, now=now)

    around = spans([line], time_zone=BERLIN, since=now - week, until=now + week)
    assert bool(opened) == any(begin <= now < over for begin, over in around)
    assert opened is None or opened <= now
