"""What a payment provider has to do."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from hosting.errors import HostingError


class PaymentUnavailable(HostingError):
    """The provider doesn't answer, or not as it should. Nothing was charged."""

    code = "payment_unavailable"
    status = 503


class NoticeRefused(HostingError):
    """A notice that isn't the provider's, or doesn't fit what was asked for."""

    code = "notice_refused"
    status = 400


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to pay."""

    key: str  # ours, the same at every try
    amount: Decimal
    currency: str
    words: str  # what it is for, as the payer reads it
    email: str
    back_url: str  # where the payer goes afterwards


@dataclass(frozen=True, slots=True)
class Begun:
    """How it can be paid."""

    reference: str
    pay_url: str = ""  # empty: there is no page, people pay by `reference`


@dataclass(frozen=True, slots=True)
class Notice:
    """What the provider says of a payment."""

    reference: str
    paid: bool
    amount: Decimal
    currency: str


class Provider(Protocol):
    """One way to be paid."""

    name: str

    def begin(self, wanted: Wanted) -> Begun:
        """Prepare a payment; the same key twice prepares one. Raises PaymentUnavailable."""

    def read(self, body: bytes, *, signature: str) -> Notice | None:
        """Read what the provider sent us; None when it is of no concern. Raises NoticeRefused."""
