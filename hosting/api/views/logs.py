"""Logs: what a model's containers wrote, also before it slept."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hosting.api.pagination import Pages
from hosting.api.serializers.logs import (
    LogFilterSerializer,
    LogLineSerializer,
    LogTailQuerySerializer,
    LogTailSerializer,
    chosen,
)
from hosting.api.views.scope import TeamViewSet
from hosting.logs import reading
from hosting.models import LogLine


class LogViewSet(TeamViewSet):
    """The log of one model."""

    serializer_class = LogLineSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = LogLine.objects.none()

    @extend_schema(
        operation_id="list_log_lines", summary="List log lines", parameters=[LogFilterSerializer]
    )
    def list(self, request: Request, subdomain: str) -> Response:
        """List what its containers wrote, newest first. Old lines go when a model has too many."""
        model = self.find_model()
        wanted = self.read(LogFilterSerializer, request.query_params)
        page = self.paginate_queryset(reading.lines(model, chosen(wanted)))
        return self.get_paginated_response(self.show(LogLineSerializer, page, many=True))

    @extend_schema(
        operation_id="tail_log",
        summary="Follow the log",
        parameters=[LogTailQuerySerializer],
        responses=LogTailSerializer,
    )
    def tail(self, request: Request, subdomain: str) -> Response:
        """Show the newest lines, then, asked again with `after`, those that came since.

        No line is told twice and none is left out, however many containers write.
        """
        model = self.find_model()
        wanted = self.read(LogTailQuerySerializer, request.query_params)
        found = reading.lines(model, chosen(wanted))
        after, limit = wanted.get("after"), wanted["limit"]
        if after is None:
            lines = reading.last(found, count=limit)
        else:
            lines = list(found.filter(pk__gt=after)[:limit])
        newest = lines[-1].pk if lines else after or 0
        return Response(self.show(LogTailSerializer, {"after": newest, "lines": lines}))
