"""Who has to pay first: 402 for what would cost something, and for nothing else."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from hosting.router import admission
from hosting.router.access import Shown
from hosting.router.endpoints import Endpoint
from hosting.router.request_head import Refused
from hosting.router.targets import Kind
from hosting.wire import Route

ROUTE = Route(model_id=1, subdomain="echo", generation=1, public=True, protocol="openai")
UNPAID = replace(ROUTE, payment_required=True)


def admit(route: Route, kind: int, method: bytes = b"POST") -> int:
    request: Any = SimpleNamespace(authorization=None, method=method, length=0)
    target: Any = SimpleNamespace(kind=kind)
    return admission.admit(request, Endpoint(route, now=0.0), target, shown=Shown(), now=0.0)


@pytest.mark.parametrize("kind", [Kind.QUERY, Kind.OTHER])
@pytest.mark.parametrize("route", [UNPAID, replace(ROUTE, unpaid_tokens=(0, 9))])
def test_a_query_that_nobody_pays_for_is_refused_with_402(route, kind):
    with pytest.raises(Refused) as refused:
        admit(route, kind)

    assert refused.value.problem.status == 402
    assert refused.value.problem.code == "payment_required"


def test_another_token_s_budget_stops_nobody_else():
    assert admit(replace(ROUTE, unpaid_tokens=(9,)), Kind.QUERY) == 0


def test_looking_is_free():
    assert admit(UNPAID, Kind.INFO, b"GET") == 0


def test_a_route_travels_with_what_is_unpaid():
    route = replace(ROUTE, payment_required=True, unpaid_tokens=(3, 4))

    assert Route.from_json(route.to_json()) == route
