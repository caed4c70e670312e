"""Wakes: who, how long, and whether it should sleep sooner or later."""

from dataclasses import asdict, dataclass
from datetime import timedelta

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hosting import queries
from hosting.api.pagination import Pages
from hosting.api.serializers.wakes import (
    SimulationQuerySerializer,
    SimulationSerializer,
    WakeSerializer,
    WakeTimesSerializer,
)
from hosting.api.views.scope import TeamViewSet
from hosting.metering import sleeping, wakes
from hosting.metering.wakes import Phase, Waiting
from hosting.models import Wake

WINDOW = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A wake with what the ledger says of it."""

    wake: Wake
    waiting: Waiting
    phases: list[Phase]


class WakeViewSet(TeamViewSet):
    """The wakes of one model."""

    serializer_class = WakeSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = Wake.objects.none()

    @extend_schema(operation_id="list_wakes", summary="List wakes", tags=["models"])
    def list(self, request: Request, subdomain: str) -> Response:
        """List them, newest first: who asked, how long each step took, how many waited."""
        page = self.paginate_queryset(queries.wakes(self.find_model())) or []
        waiting = wakes.waiting(page)
        shown = [
            _Shown(each, waiting[each.pk], wakes.phases(each, waiting[each.pk])) for each in page
        ]
        return self.get_paginated_response(self.show(WakeSerializer, shown, many=True))

    @extend_schema(
        operation_id="retrieve_wake_times",
        summary="How long waking takes",
        responses=WakeTimesSerializer,
        tags=["models"],
    )
    def times(self, request: Request, subdomain: str) -> Response:
        """Show what to expect of the next wake, and how those of the last 30 days went."""
        model, now = self.find_model(), timezone.now()
        revision = model.revision
        data = {
            "usual_seconds": revision.wake_seconds if revision else None,
            "slow_seconds": revision.slow_wake_seconds if revision else None,
            "since": now - WINDOW,
            "until": now,
            **asdict(wakes.times(model, since=now - WINDOW, until=now)),
        }
        return Response(self.show(WakeTimesSerializer, data))

    @extend_schema(
        operation_id="simulate_sleep",
        summary="Compare idle timeouts",
        parameters=[SimulationQuerySerializer],
        responses=SimulationSerializer,
        tags=["models"],
    )
    def simulate(self, request: Request, subdomain: str) -> Response:
        """Replay its own calls against other idle timeouts: hours awake, starts, who waited."""
        asked = self.read(SimulationQuerySerializer, request.query_params)
        simulation = sleeping.simulate(self.find_model(), now=timezone.now(), days=asked["days"])
        return Response(self.show(SimulationSerializer, simulation))
