"""Hours in which a model is kept awake: “Mon-Fri 08:00-18:00”, in a time zone. Pure.

A window is worked out for each day anew, so 08:00 stays 08:00 when the clocks change: it begins
with the first 08:00 of its day and ends with the last 18:00.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hosting.errors import InvalidValue

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST_WINDOWS = 20
_DAY_MINUTES = 24 * 60
_LINE = re.compile(
    r"(?P<days>[a-z]+(?:\s*[-,]\s*[a-z]+)*|every day)\s+"
    r"(?P<from>\d{1,2}:\d{2})\s*[-–]\s*(?P<to>\d{1,2}:\d{2})",
    re.IGNORECASE,
)
_EXAMPLE = "Write it like “Mon-Fri 08:00-18:00”."


@dataclass(frozen=True, slots=True)
class Window:
    """Days of the week (0: Monday), and from which to which minute of the day.

    One that ends before it begins ends on the next day.
    """

    days: frozenset[int]
    start: int
    end: int

    def __str__(self) -> str:
        return f"{_days_in_words(self.days)} {_clock(self.start)}-{_clock(self.end)}"


def parse(line: str) -> Window:
    """Read one window. Raises InvalidValue."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise InvalidValue(f"“{line.strip()}” is not a window. {_EXAMPLE}", field="warm_windows")
    start, end = _minute(match["from"]), _minute(match["to"])
    if start in (end, _DAY_MINUTES):
        raise InvalidValue("A window ends at another time than it begins.", field="warm_windows")
    return Window(_read_days(match["days"]), start, end)


def parse_all(lines: Iterable[str]) -> list[Window]:
    """Read several, empty lines left out. Raises InvalidValue."""
    found = [parse(line) for line in lines if line.strip()]
    if len(found) > MOST_WINDOWS:
        raise InvalidValue(f"Give at most {MOST_WINDOWS} windows.", field="warm_windows")
    return found


def zone(name: str) -> ZoneInfo:
    """The time zone of this name. Raises InvalidValue."""
    if name not in _zones():
        raise InvalidValue(
            f"There is no time zone “{name}”. Write it like “Europe/Berlin”.", field="time_zone"
        )
    return ZoneInfo(name)


def spans(
    lines: Sequence[str], *, time_zone: str, since: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """When the windows are open between two moments, in UTC and in order; what touches is one."""
    if not lines or since >= until:
        return []
    local = ZoneInfo(time_zone)
    first = since.astimezone(local).date() - timedelta(days=1)  # it may have begun yesterday
    last = until.astimezone(local).date()
    found = sorted(
        span
        for window in parse_all(lines)
        for day in _days(first, last)
        if day.weekday() in window.days
        for span in [_span(window, day, local)]
        if span[0] < until and span[1] > since
    )
    merged: list[tuple[datetime, datetime]] = []
    for start, end in found:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return merged


def open_since(
    lines: Sequence[str], *, time_zone: str, now: datetime, lead_seconds: float = 0.0
) -> datetime | None:
    """When the window opened that is open now; None when none is.

    `lead_seconds` before its time counts as open: what takes so long to wake is awake in time.
    """
    ahead = now + timedelta(seconds=lead_seconds)
    for start, end in spans(
        lines, time_zone=time_zone, since=now, until=ahead + timedelta(microseconds=1)
    ):
        if start <= ahead and now < end:
            return start
    return None


def _span(window: Window, day: date, local: ZoneInfo) -> tuple[datetime, datetime]:
    over_midnight = window.end <= window.start
    start = _moment(day, window.start, local, fold=0)
    end = _moment(day + timedelta(days=over_midnight), window.end, local, fold=1)
    return start, end


def _moment(day: date, minute: int, local: ZoneInfo, *, fold: int) -> datetime:
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001
    return wall.replace(tzinfo=local, fold=fold).astimezone(UTC)


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


def _read_days(text: str) -> frozenset[int]:
    if text.lower() in ("daily", "every day"):
        return frozenset(range(7))
    days: set[int] = set()
    for part in re.split(r"\s*,\s*", text):
        first, _, last = (each.strip() for each in part.partition("-"))
        begin = _day(first)
        end = _day(last) if last else begin
        days.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(days)


def _day(name: str) -> int:
    short = name.strip()[:3].capitalize()
    if short not in DAYS:
        raise InvalidValue(f"“{name}” is no day of the week. {_EXAMPLE}", field="warm_windows")
    return DAYS.index(short)


def _minute(text: str) -> int:
    hours, minutes = (int(part) for part in text.split(":"))
    if minutes > 59 or hours * 60 + minutes > _DAY_MINUTES:
        raise InvalidValue(f"“{text}” is no time of the day. {_EXAMPLE}", field="warm_windows")
    return hours * 60 + minutes


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _days_in_words(days: frozenset[int]) -> str:
    if len(days) == 7:
        return "daily"
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    words = [DAYS[run[0]] + (f"-{DAYS[run[-1]]}" if len(run) > 1 else "") for run in runs]
    return ",".join(words)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
