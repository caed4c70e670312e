"""The running month, budgets, invoices and what they are made of; statistics of a model."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Team
from hosting import queries
from hosting.api.schema import problems
from hosting.api.serializers.billing import (
    BudgetSerializer,
    HourQuerySerializer,
    InvoiceSerializer,
    MonthSerializer,
    NewBudgetSerializer,
    StatisticsQuerySerializer,
    StatisticsSerializer,
    TrailSerializer,
)
from hosting.api.tenancy import row_id
from hosting.api.views.scope import TeamViewSet
from hosting.billing import budgets, credits, documents, payments, plans, proof, spending, trail
from hosting.billing.models import Budget, Invoice
from hosting.metering import statistics

NO_SUCH_INVOICE = "Your team has no invoice of this number."
_MOST_IDS = 1_000


class BillingViewSet(TeamViewSet):
    """What the team pays, and why."""

    pagination_class = None
    filter_backends = []
    tag = "billing"

    @extend_schema(
        operation_id="retrieve_billing", summary="The running month", responses=MonthSerializer
    )
    def month(self, request: Request) -> Response:
        """Show what the month has cost and what it will come to, credits and budgets."""
        now = timezone.now()
        spent = spending.of_month(self.team, now=now)
        data = {
            "start": spent.start,
            "end": spent.end,
            "currency": spent.currency,
            "subtotal": spent.subtotal,
            "tax": spent.tax,
            "total": spent.total,
            "expected": spending.expected(spent, now=now),
            "credits": credits.balance(self.team),
            "plan": plans.plan_of(self.team, at=now).name,
            "models": spent.models,
            "budgets": self._budgets(),
            "reconciled": proof.mark_of(self.team),
        }
        return Response(self.show(MonthSerializer, data))

    @extend_schema(
        operation_id="set_budget",
        summary="Set a budget",
        request=NewBudgetSerializer,
        responses={200: BudgetSerializer, **problems(404)},
    )
    def set_budget(self, request: Request) -> Response:
        """Set what the team, a model or a token may cost a month."""
        wanted = self.read(NewBudgetSerializer)
        model = token = None
        if "model" in wanted:
            self.kwargs["subdomain"] = wanted["model"]
            model = self.find_model()
        if model is not None and "token_id" in wanted:
            token = queries.find_token(model, wanted["token_id"])
            if token is None:
                raise NotFound("This model has no such token.")
        budget = budgets.set_budget(
            self.team,
            amount=wanted["amount"],
            stop=wanted["stop"],
            model=None if token else model,
            token=token,
            now=timezone.now(),
        )
        return Response(self.show(BudgetSerializer, budget))

    @extend_schema(operation_id="remove_budget", summary="Remove a budget", responses={204: None})
    def remove_budget(self, request: Request, budget_id: str) -> Response:
        """Remove a budget; what it stopped answers again."""
        number = row_id(budget_id)
        budget = self._budgets().filter(pk=number).first() if number is not None else None
        if budget is None:
            raise NotFound("Your team has no such budget.")
        budgets.remove_budget(budget, now=timezone.now())
        return Response(status=204)

    @extend_schema(
        operation_id="list_invoices",
        summary="Invoices and credit notes",
        responses=InvoiceSerializer(many=True),
    )
    def invoices(self, request: Request) -> Response:
        """List all of the team, newest first: one a month, and its credit notes."""
        found = Invoice.objects.filter(team=self.team).prefetch_related("lines")
        return Response(self.show(InvoiceSerializer, [_said(each) for each in found], many=True))

    @extend_schema(
        operation_id="retrieve_invoice", summary="One invoice", responses=InvoiceSerializer
    )
    def invoice(self, request: Request, number: str) -> Response:
        """Show an invoice with its lines."""
        return Response(self.show(InvoiceSerializer, _said(self._find(number))))

    @extend_schema(
        operation_id="retrieve_invoice_line",
        summary="What a line is made of",
        parameters=[HourQuerySerializer],
        responses=TrailSerializer,
    )
    def line(self, request: Request, number: str, position: str) -> Response:
        """Show the hours of a line and, for one hour, the ids of its requests."""
        invoice = self._find(number)
        place = row_id(position)
        line = invoice.lines.filter(position=place).first() if place and place < 2**15 else None
        if line is None:
            raise NotFound(NO_SUCH_INVOICE)
        asked = self.read(HourQuerySerializer, request.query_params)
        hours = trail.hours(line)
        chosen = [each.hour for each in hours if each.hour == asked.get("hour")]
        ids = [
            record.pk
            for hour in chosen
            for record in trail.requests(line, hour=hour, after=str(asked.get("after", "")))[
                :_MOST_IDS
            ]
        ]
        said = documents.as_json(invoice)["lines"]
        (shown,) = [each for each in said if each["position"] == line.position]
        data = {"line": shown, "hours": hours, "request_ids": ids}
        return Response(self.show(TrailSerializer, data))

    @extend_schema(
        operation_id="retrieve_model_statistics",
        summary="Statistics of one model",
        parameters=[StatisticsQuerySerializer],
        responses=StatisticsSerializer,
        tags=["models"],
    )
    def model_statistics(self, request: Request, subdomain: str) -> Response:
        """Show requests, errors by class, percentiles and wakes; whole hours count."""
        model = self.find_model()
        asked = self.read(StatisticsQuerySerializer, request.query_params)
        window = {"since": asked["since"], "until": asked["until"]}
        data = {
            **asked,
            "total": statistics.summary([model.pk], **window),
            "rows": statistics.by(asked["by"], [model.pk], **window),
            "wakes": statistics.wakes(model.pk, **window),
        }
        return Response(self.show(StatisticsSerializer, data))

    def _budgets(self) -> Any:
        return Budget.objects.filter(team=self.team).select_related("model", "team").order_by("pk")

    def _find(self, number: str) -> Invoice:
        found = find_invoice(self.team, number)
        if found is None:
            raise NotFound(NO_SUCH_INVOICE)
        return found


def find_invoice(team: Team, number: str) -> Invoice | None:
    """One invoice of the team."""
    well_formed = number.isascii() and "\0" not in number
    return Invoice.objects.filter(team=team, number=number).first() if well_formed else None


def _said(invoice: Invoice) -> dict[str, Any]:
    status = payments.status_of(invoice, now=timezone.now())
    return {**documents.as_json(invoice), "status": status}
