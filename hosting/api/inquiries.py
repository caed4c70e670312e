"""What routers ask while Redis is away (`hosting/wire.py`, Inquiries). Not for anybody else."""

import hmac
import json
from dataclasses import asdict

from django.conf import settings
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from hosting import route_table, wire


@csrf_exempt
def routes(request: HttpRequest) -> JsonResponse:
    """Tell a router of our installation what it lacks; for anybody else there is nothing here."""
    if not _asks_itself(request):
        raise Http404
    known = {int(model_id): int(each) for model_id, each in json.load(request).items()}
    news, whole = route_table.news(known)
    return JsonResponse({"routes": [asdict(each) for each in news], "whole": whole})


def _asks_itself(request: HttpRequest) -> bool:
    """Whether this is a router's own request: it says of each it carries for others whose it is."""
    said = request.headers.get("Authorization", "")
    proof = f"Bearer {wire.inquiry_proof(settings.SECRET_KEY)}"
    carried = "X-Forwarded-For" in request.headers or "X-Forwarded-Host" in request.headers
    return not carried and hmac.compare_digest(said.encode(), proof.encode())


urlpatterns = [path(wire.INQUIRY_PATH.lstrip("/"), routes)]
