"""Stripe Checkout: people pay on Stripe's page, and a signed notice says so.

The package `stripe` is an extra (`pip install "dormouse[stripe]"`), loaded when somebody pays.
"""

from decimal import Decimal
from types import ModuleType

from hosting.billing.providers.base import Begun, Notice, NoticeRefused, PaymentUnavailable, Wanted

# Currencies whose smallest unit is the unit itself.
_WHOLE = {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"}
_WHOLE |= {"PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
_PAID = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
_FAILED = ("checkout.session.expired", "checkout.session.async_payment_failed")


class Stripe:
    """One Stripe account."""

    name = "stripe"

    def __init__(self, *, key: str, webhook_secret: str, api: str = "") -> None:
        self._key = key
        self._webhook_secret = webhook_secret
        self._api = api

    def begin(self, wanted: Wanted) -> Begun:
        """A page of Stripe's on which this is paid."""
        stripe = _package()
        client = stripe.StripeClient(
            self._key,
            base_addresses={"api": self._api} if self._api else None,
            max_network_retries=2,
        )
        try:
            session = client.v1.checkout.sessions.create(
                params={
                    "mode": "payment",
                    "client_reference_id": wanted.key,
                    "customer_email": wanted.email,
                    "success_url": wanted.back_url,
                    "cancel_url": wanted.back_url,
                    "line_items": [
                        {
                            "quantity": 1,
                            "price_data": {
                                "currency": wanted.currency.lower(),
                                "unit_amount": to_minor(wanted.amount, wanted.currency),
                                "product_data": {"name": wanted.words},
                            },
                        }
                    ],
                },
                options={"idempotency_key": f"purchase-{wanted.key}"},
            )
        except stripe.StripeError as error:
            said = error.user_message or type(error).__name__
            raise PaymentUnavailable(f"Stripe can't take the payment now: {said}") from error
        return Begun(reference=session.id, pay_url=session.url or "")

    def read(self, body: bytes, *, signature: str) -> Notice | None:
        """What a webhook says, once its signature fits."""
        stripe = _package()
        try:
            event = stripe.Webhook.construct_event(body, signature, self._webhook_secret)
        except (ValueError, stripe.SignatureVerificationError) as error:
            raise NoticeRefused("The signature of this notice doesn't fit.") from error
        session = event.data.object
        paid = event.type in _PAID and session.payment_status == "paid"
        if not paid and event.type not in _FAILED:
            return None
        currency = str(session.currency or "").upper()
        return Notice(
            reference=str(session.id),
            paid=paid,
            amount=from_minor(int(session.amount_total or 0), currency),
            currency=currency,
        )


def to_minor(amount: Decimal, currency: str) -> int:
    """An amount in the currency's smallest unit."""
    return int(amount if currency.upper() in _WHOLE else amount * 100)


def from_minor(amount: int, currency: str) -> Decimal:
    """The amount that so many of the smallest units are."""
    return Decimal(amount) if currency.upper() in _WHOLE else Decimal(amount) / 100


def _package() -> ModuleType:
    try:
        import stripe
    except ImportError as error:
        raise PaymentUnavailable(
            'Payments by card need the package “stripe”. Install it: pip install "dormouse[stripe]"'
        ) from error
    return stripe
