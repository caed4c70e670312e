"""Paid outside, such as by bank transfer; an operator says when the money is there."""

from hosting.billing.providers.base import Begun, Notice, NoticeRefused, Wanted


class Manual:
    """`dormouse credits confirm REFERENCE` is its notice."""

    name = "manual"

    def begin(self, wanted: Wanted) -> Begun:
        """A reference to write on the transfer."""
        return Begun(reference=f"DM-{wanted.key[:8].upper()}")

    def read(self, body: bytes, *, signature: str) -> Notice | None:
        """Nobody sends notices."""
        raise NoticeRefused("This installation takes no payment notices.")
