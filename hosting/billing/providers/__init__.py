"""Who takes payments: `manual` in the box, `stripe` as an extra. Chosen by DORMOUSE_PAYMENTS."""

from django.conf import settings

from hosting.billing.providers.base import Provider
from hosting.billing.providers.manual import Manual
from hosting.billing.providers.stripe import Stripe


def chosen() -> Provider:
    """The provider of this installation."""
    if settings.PAYMENTS == "stripe":
        return Stripe(
            key=settings.STRIPE_KEY,
            webhook_secret=settings.STRIPE_WEBHOOK_SECRET,
            api=settings.STRIPE_API,
        )
    return Manual()
