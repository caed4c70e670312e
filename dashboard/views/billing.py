"""What the team pays: the running month, its budget, its invoices and what they are made of."""

import json
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard import budgets, cost_chart
from dashboard.forms.money import BudgetForm
from dashboard.teams import TeamRequest, member_page
from hosting.billing import (
    credit_notes,
    credits,
    documents,
    payments,
    plans,
    proof,
    spending,
    trail,
)
from hosting.billing.models import Invoice, InvoiceLine
from hosting.models import EndpointToken, HostedModel

_FORMATS = {"pdf": "application/pdf", "csv": "text/csv", "json": "application/json"}
_IDS_SHOWN = 200


@require_GET
@member_page
def overview(request: TeamRequest) -> HttpResponse:
    """Show the running month, the budget and the invoices."""
    return billing_page(request)


@require_GET
@member_page
def invoice(request: TeamRequest, number: str) -> HttpResponse:
    """Show one invoice."""
    found = _find(request, number)
    return render(
        request,
        "dashboard/billing/invoice.html",
        {
            "section": "billing",
            "invoice": found,
            "lines": found.lines.all(),
            "status": payments.status_of(found, now=timezone.now()),
            "open": credit_notes.open_amount(found),
            "notes": found.credit_notes.all(),
            "payments": found.payments.order_by("received_at"),
        },
    )


@require_GET
@member_page
def document(request: TeamRequest, number: str, kind: str) -> HttpResponse:
    """Hand out an invoice as PDF, CSV or JSON."""
    found = _find(request, number)
    if kind not in _FORMATS:
        raise Http404("Choose pdf, csv or json.")
    content: bytes | str = (
        documents.as_pdf(found)
        if kind == "pdf"
        else documents.as_csv(found)
        if kind == "csv"
        else json.dumps(documents.as_json(found), indent=2)
    )
    answer = HttpResponse(content, content_type=_FORMATS[kind])
    answer["Content-Disposition"] = f'attachment; filename="{found.number}.{kind}"'
    return answer


@require_GET
@member_page
def line(request: TeamRequest, number: str, position: int) -> HttpResponse:
    """Show the hours of a line, and the requests of one of them."""
    found = _find(request, number)
    row = InvoiceLine.objects.filter(invoice=found, position=position).first()
    if row is None:
        raise Http404("This invoice has no such line.")
    hours = trail.hours(row)
    chosen = next((each for each in hours if str(each.hour.timestamp()) == _hour(request)), None)
    wanted = trail.requests(row, hour=chosen.hour)[:_IDS_SHOWN] if chosen else []
    return render(
        request,
        "dashboard/billing/line.html",
        {
            "section": "billing",
            "invoice": found,
            "line": row,
            "unit": documents.UNITS[row.item],
            "hours": [(str(each.hour.timestamp()), each) for each in hours],
            "chosen": chosen,
            "requests": wanted,
            "shown": _IDS_SHOWN,
        },
    )


def _hour(request: TeamRequest) -> str:
    return request.GET.get("hour", "")


def billing_page(request: TeamRequest, *, form: BudgetForm | None = None) -> HttpResponse:
    """The page, with the budget that was refused, if one was."""
    now = timezone.now()
    spent = spending.of_month(request.team, now=now)
    expected = spending.expected(spent, now=now)
    names = dict(HostedModel.objects.filter(team=request.team).values_list("pk", "subdomain"))
    budget = budgets.of_team(request.team, spent, expected=expected)
    by_token = request.GET.get("by") == "token"
    chart = cost_chart.draw(
        spent.by_day,
        start=spent.start,
        end=spent.end,
        now=now,
        expected=expected - spent.total,
        order=[each.model_id for each in spent.models],
        names=names,
    )
    profile = plans.profile_of(request.team)
    return render(
        request,
        "dashboard/billing/overview.html",
        {
            "section": "billing",
            "now": now,
            "spent": spent,
            "days_left": (spent.end - now).days,
            "last_day": spent.end - (spent.end - spent.start) / (spent.end - spent.start).days,
            "expected": expected,
            "same_day": spending.same_day_last_month(request.team, now=now),
            "budget": budget,
            "parts": budgets.of_parts(request.team, spent),
            "chart": chart,
            "rows": _token_rows(spent) if by_token else _model_rows(spent, names),
            "by_token": by_token,
            "invoices": [
                (each, payments.status_of(each, now=now))
                for each in Invoice.objects.filter(team=request.team)[:24]
            ],
            "form": form or BudgetForm.of(budget.budget),
            "plan": plans.plan_of(request.team, at=now),
            "profile": profile,
            "balance": credits.balance(request.team),
            "mark": proof.mark_of(request.team),
            "stopped": HostedModel.objects.filter(
                team=request.team, deleted_at=None, payment_required=True
            ).count(),
        },
        status=422 if form else 200,
    )


def _model_rows(spent: spending.Spending, names: dict[int, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": names.get(each.model_id, f"model {each.model_id}"),
            "requests": each.requests,
            "amount": each.amount,
            "share": int(each.amount * 100 / spent.subtotal) if spent.subtotal else 0,
        }
        for each in spent.models
    ]


def _token_rows(spent: spending.Spending) -> list[dict[str, Any]]:
    known = EndpointToken.objects.filter(pk__in=spent.by_token).select_related("model")
    labels = {each.pk: f"{each.label} of {each.model}" for each in known}
    return [
        {
            "name": labels.get(token_id, "Without a token"),
            "requests": None,
            "amount": amount,
            "share": int(amount * 100 / spent.subtotal) if spent.subtotal else 0,
        }
        for token_id, amount in sorted(spent.by_token.items(), key=lambda each: -each[1])
    ]


def _find(request: TeamRequest, number: str) -> Invoice:
    found = Invoice.objects.filter(team=request.team, number=number).first()
    if found is None:
        raise Http404(f"This team has no invoice {number}.")
    return found
