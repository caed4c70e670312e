"""What payment providers tell us. No login: a notice proves by its signature whose it is."""

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from hosting.api.errors import problem
from hosting.billing import providers, purchases
from hosting.errors import HostingError

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def payment(request: HttpRequest) -> HttpResponse:
    """Take a notice. Answers 200 whatever it did, so that only what failed is sent again."""
    provider = providers.chosen()
    signature = request.headers.get("Stripe-Signature", "")
    try:
        notice = provider.read(request.body, signature=signature)
        added = notice is not None and purchases.take(
            notice, provider=provider.name, now=timezone.now()
        )
    except HostingError as error:
        logger.warning("a payment notice was refused: %s", error)
        said = problem(error.status, code=error.code, detail=error.message)
        return JsonResponse(said, status=error.status, content_type="application/problem+json")
    return JsonResponse({"added": added})


urlpatterns = [path("payments/", payment, name="payment-notice")]
