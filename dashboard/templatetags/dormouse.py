"""The small parts pages are made of."""

import json
from datetime import datetime

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dashboard import times
from hosting import queries
from hosting.models import HostedModel

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of the sprite, silent: the words stand beside it or in a label."""
    return format_html(
        '<svg class="ico" aria-hidden="true"><use href="{}#{}"/></svg>',
        static("dashboard/icons.svg"),
        name,
    )


@register.simple_tag
def mark(name: str) -> SafeString:
    """The dormouse: asleep, awakening or awake."""
    return format_html(
        '<svg class="mark" viewBox="0 0 96 64" aria-hidden="true">'
        '<use href="{}#dormouse-{}"/></svg>',
        static("dashboard/marks.svg"),
        name,
    )


@register.inclusion_tag("dashboard/canary.html")
def canary_of(model: HostedModel) -> dict[str, object]:
    """The mark of the revision that is tried beside the current one, if any."""
    return {"model": model, "canary": queries.canary(model)}


@register.filter
def without_placeholder(field: BoundField) -> BoundField:
    """A field of allauth's, whose placeholders say the labels again."""
    field.field.widget.attrs.pop("placeholder", None)
    return field


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A time as people say it; the exact one on hover and for machines."""
    if moment is None:
        return "never"
    return _time(moment, times.ago(moment, now=timezone.now()))


@register.filter
def clock(moment: datetime | None) -> SafeString | str:
    """The time of day, with the date when it was another day."""
    if moment is None:
        return "–"
    now = timezone.now()
    text = f"{moment:%H:%M:%S}"
    if moment.date() != now.date():
        text = f"{times.on(moment, now=now)}, {moment:%H:%M}"
    return _time(moment, text)


@register.filter
def lasting(seconds: float | None) -> str:
    """A duration as people say it."""
    return "–" if seconds is None else times.lasting(seconds)


@register.filter
def hours(seconds: float) -> str:
    """A long time in hours."""
    return times.in_hours(seconds)


@register.filter
def bare(address: str) -> str:
    """An address without its scheme, where room is short; what is copied has it."""
    return address.partition("://")[2] or address


@register.filter
def as_json(value: object) -> str:
    """A value as its owner wrote it."""
    return json.dumps(value, ensure_ascii=False)


@register.filter
def memory(megabytes: int) -> str:
    """A size of memory: “512 MiB”, “2 GiB”."""
    if megabytes >= 1024 and megabytes % 1024 == 0:
        return f"{megabytes // 1024} GiB"
    return f"{megabytes} MiB"


def _time(moment: datetime, text: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        moment.isoformat(timespec="seconds"),
        f"{moment:%Y-%m-%d %H:%M:%S}",
        text,
    )
