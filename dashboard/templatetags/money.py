"""Amounts as people read them."""

from decimal import Decimal

from django import template

from hosting.billing.documents import money as words

register = template.Library()


@register.filter
def money(amount: Decimal, currency: str = "USD") -> str:
    """The amount with its currency and two digits."""
    return words(amount, currency)


@register.filter
def milliseconds(value: float | None) -> str:
    """A measured time: “340 ms”, “1.2 s”."""
    if value is None:
        return "–"
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"
