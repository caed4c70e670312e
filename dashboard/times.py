"""Times as people read them. Pure."""

from datetime import datetime, timedelta

MINUTE, HOUR, DAY = 60, 3600, 86400


def lasting(seconds: float) -> str:
    """How long: “340 ms”, “18 s”, “12 min”, “6 h 40 min”, “3 days”."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        minutes, rest = divmod(int(seconds), MINUTE)
        return f"{minutes} min {rest} s" if minutes < 10 and rest else f"{minutes} min"
    if seconds < 2 * DAY:
        hours, rest = divmod(int(seconds), HOUR)
        return f"{hours} h {rest // MINUTE} min" if rest >= MINUTE else f"{hours} h"
    return f"{int(seconds // DAY)} days"


def in_hours(seconds: float) -> str:
    """A long time in hours: “41 h”, “2.5 h”; in minutes below one."""
    if seconds < HOUR:
        return f"{seconds / MINUTE:.0f} min"
    count = seconds / HOUR
    return f"{count:,.0f} h" if count >= 10 else f"{count:.1f} h"


def roughly(seconds: float) -> str:
    """How long, in one unit: “12 min”, “6 h”."""
    if seconds < MINUTE:
        return f"{max(0, int(seconds))} s"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)} min"
    if seconds < 2 * DAY:
        return f"{int(seconds // HOUR)} h"
    return f"{int(seconds // DAY)} days"


def ago(moment: datetime, *, now: datetime) -> str:
    """“just now”, “12 min ago”, and the date after a day."""
    passed = (now - moment).total_seconds()
    if passed < 5:
        return "just now"
    if passed < DAY:
        return f"{roughly(passed)} ago"
    return on(moment, now=now)


def on(moment: datetime, *, now: datetime) -> str:
    """The day: “19 Nov”, with the year when it is another one."""
    text = f"{moment.day} {moment:%b}"
    return text if moment.year == now.year else f"{text} {moment.year}"


def ticks(since: datetime, until: datetime, *, count: int = 4) -> list[str]:
    """Clock times at equal distances, for the axis under a ribbon; the last one is “Now”."""
    step = (until - since) / count
    return [f"{since + step * i:%H:%M}" for i in range(count)] + ["Now"]


def last(hours: float, *, now: datetime) -> datetime:
    """The start of the last so many hours."""
    return now - timedelta(hours=hours)
