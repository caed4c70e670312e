"""Credits, buying them, how a team pays; usage and invoices as files."""

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from hosting.api.schema import problems
from hosting.api.serializers.credits import (
    CreditsSerializer,
    DocumentQuerySerializer,
    ExportQuerySerializer,
    NewPurchaseSerializer,
    ProfileSerializer,
    PurchaseSerializer,
)
from hosting.api.streams import LinesResponse
from hosting.api.views.billing import NO_SUCH_INVOICE, find_invoice
from hosting.api.views.scope import TeamViewSet
from hosting.billing import budgets, credits, documents, plans, purchases
from hosting.metering import export, statistics
from hosting.models import HostedModel


class CreditsViewSet(TeamViewSet):
    """What the team paid in advance."""

    pagination_class = None
    filter_backends = []
    tag = "billing"

    @extend_schema(operation_id="retrieve_credits", summary="Credits", responses=CreditsSerializer)
    def credits(self, request: Request) -> Response:
        """Show the balance, the last movements and purchases."""
        data = {
            "balance": credits.balance(self.team),
            "currency": plans.plan_of(self.team, at=timezone.now()).currency,
            "entries": credits.entries(self.team),
            "purchases": purchases.recent(self.team),
        }
        return Response(self.show(CreditsSerializer, data))

    @extend_schema(
        operation_id="buy_credits",
        summary="Buy credits",
        request=NewPurchaseSerializer,
        responses={201: PurchaseSerializer, **problems(503)},
    )
    def buy(self, request: Request) -> Response:
        """Begin a purchase. Credits are added once it is paid; `pay_url` is where."""
        purchase = purchases.begin(
            self.team,
            amount=self.read(NewPurchaseSerializer)["amount"],
            by=self.caller,
            back_url=f"{settings.DASHBOARD_URL}/billing/credits/",
            now=timezone.now(),
        )
        return Response(self.show(PurchaseSerializer, purchase), status=201)

    @extend_schema(
        operation_id="retrieve_purchase", summary="One purchase", responses=PurchaseSerializer
    )
    def purchase(self, request: Request, purchase: str) -> Response:
        """Show whether it is paid."""
        found = purchases.find(self.team, purchase)
        if found is None:
            raise NotFound("Your team has no such purchase.")
        return Response(self.show(PurchaseSerializer, found))

    @extend_schema(
        operation_id="retrieve_billing_profile",
        summary="How the team pays",
        responses=ProfileSerializer,
    )
    def profile(self, request: Request) -> Response:
        """Show whether usage is paid in advance, and whom invoices go to."""
        return Response(self.show(ProfileSerializer, plans.profile_of(self.team)))

    @extend_schema(
        operation_id="update_billing_profile",
        summary="Change how the team pays",
        request=ProfileSerializer,
        responses=ProfileSerializer,
    )
    def change_profile(self, request: Request) -> Response:
        """Change it; it holds from now on."""
        incoming = ProfileSerializer(
            plans.profile_of(self.team), data=self.request.data, partial=True
        )
        incoming.is_valid(raise_exception=True)
        profile = plans.set_profile(self.team, **incoming.validated_data)
        budgets.renew(self.team, now=timezone.now())
        return Response(self.show(ProfileSerializer, profile))

    @extend_schema(
        operation_id="export_usage",
        summary="Usage as a file",
        parameters=[ExportQuerySerializer],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
        },
        tags=["usage"],
    )
    def export(self, request: Request) -> LinesResponse:
        """Hand out every request of the window, or the figures of a split, line by line."""
        asked = self.read(ExportQuerySerializer, request.query_params)
        window = {"since": asked["since"], "until": asked["until"]}
        models = list(HostedModel.objects.filter(team=self.team).values_list("pk", flat=True))
        by, kind = asked.get("by"), asked["kind"]
        columns: tuple[str, ...] = export.REQUEST
        rows = statistics.records(models, **window)
        if by:
            columns, rows = (by, *export.FIGURES), export.figures(by, models, **window)
        return LinesResponse(
            export.lines(rows, kind=kind, columns=columns), content_type=export.FORMATS[kind]
        )

    @extend_schema(
        operation_id="retrieve_invoice_document",
        summary="An invoice as PDF or CSV",
        parameters=[DocumentQuerySerializer],
        responses={
            (200, "application/pdf"): OpenApiTypes.BINARY,
            (200, "text/csv"): OpenApiTypes.STR,
        },
    )
    def document(self, request: Request, number: str) -> HttpResponse:
        """Hand out an invoice; its JSON is the invoice itself."""
        invoice = find_invoice(self.team, number)
        if invoice is None:
            raise NotFound(NO_SUCH_INVOICE)
        if self.read(DocumentQuerySerializer, request.query_params)["kind"] == "pdf":
            return HttpResponse(documents.as_pdf(invoice), content_type="application/pdf")
        return HttpResponse(documents.as_csv(invoice), content_type="text/csv")
