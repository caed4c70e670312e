"""Amounts of money as people type them."""

from decimal import Decimal

from cli.printing import fail

_TOO_MUCH = 10**11  # more than its columns hold


def read_amount(text: str, *, like: str = "12.50") -> Decimal:
    """The amount that was typed; says so when it is none."""
    try:
        amount = Decimal(text)
    except ArithmeticError:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) >= _TOO_MUCH:
        raise fail(f"“{text}” is not an amount. Write it as {like}.")
    return amount
