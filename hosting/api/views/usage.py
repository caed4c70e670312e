"""Requests and errors, per model and for the team."""

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hosting import queries
from hosting.api.serializers.usage import (
    BUCKETS,
    ModelUsageSerializer,
    SeriesWindowSerializer,
    TeamUsageSerializer,
    WindowSerializer,
)
from hosting.api.views.scope import TeamViewSet
from hosting.metering import queries as metering


class UsageViewSet(TeamViewSet):
    """What was served: every POST to /v1/query that reached a model counts once."""

    pagination_class = None
    filter_backends = []

    @extend_schema(
        operation_id="retrieve_model_usage",
        summary="Usage of one model",
        parameters=[SeriesWindowSerializer],
        responses=ModelUsageSerializer,
    )
    def model(self, request: Request, subdomain: str) -> Response:
        """Show the totals of the window and its series; a quiet step is a zero."""
        model = self.find_model()
        window = self.read(SeriesWindowSerializer, request.query_params)
        since, until = window["since"], window["until"]
        total = metering.totals([model.pk], since=since, until=until)[model.pk]
        points = metering.series(
            model.pk, since=since, until=until, bucket_seconds=BUCKETS[window["bucket"]]
        )
        data = {
            **window,
            "requests": total.requests,
            "errors": total.errors,
            "series": [asdict(point) for point in points],
        }
        return Response(self.show(ModelUsageSerializer, data))

    @extend_schema(
        operation_id="retrieve_usage",
        summary="Usage of the team",
        parameters=[WindowSerializer],
        responses=TeamUsageSerializer,
    )
    def team_total(self, request: Request) -> Response:
        """Show the totals of the window, for the team and each of its models."""
        window = self.read(WindowSerializer, request.query_params)
        names = dict(queries.hosted_models(self.team).values_list("pk", "subdomain"))
        totals = metering.totals(list(names), since=window["since"], until=window["until"])
        data = {
            **window,
            "requests": sum(each.requests for each in totals.values()),
            "errors": sum(each.errors for each in totals.values()),
            "models": [
                {"subdomain": name, "requests": totals[pk].requests, "errors": totals[pk].errors}
                for pk, name in names.items()
            ],
        }
        return Response(self.show(TeamUsageSerializer, data))
