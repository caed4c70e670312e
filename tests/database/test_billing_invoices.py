"""Invoices: closed months only, numbers without gaps, never changed, every cent explained."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connections, transaction

from accounts.models import Team
from hosting.billing import (
    budgets,
    credit_notes,
    credits,
    documents,
    invoicing,
    payments,
    plans,
    trail,
)
from hosting.billing.models import (
    EntryKind,
    Invoice,
    InvoiceLine,
    InvoiceSeries,
    Plan,
)
from hosting.billing.rating import Item
from hosting.errors import InvalidValue
from hosting.metering import closing, rollups
from hosting.models import UsageRecord
from tests.database.conftest import NOON
from tests.factories import make_model

pytestmark = pytest.mark.django_db
JULY = datetime(2026, 7, 1, tzinfo=UTC)
JULY_2 = JULY + timedelta(days=1)
D = Decimal


@pytest.fixture
def used(model, usage_event):
    """A model that was asked a few times in June, one of them with an error."""
    for number in range(3):
        usage_event(model, at=NOON + timedelta(hours=number))
    usage_event(model, status=500, outcome="model_error")
    usage_event(model, counted=False, route="info", method="GET")
    usage_event(model, counted=False, status=503, outcome="refused")
    return model


def issue_june() -> Invoice:
    closing.close_hours(now=JULY_2)
    (invoice,) = invoicing.issue_due(now=JULY_2)
    return invoice


def test_every_answer_of_the_model_is_a_cent_and_nothing_else_is(used):
    invoice = issue_june()

    line = invoice.lines.get()
    assert (line.quantity, line.amount, invoice.total) == (4, D("0.04"), D("0.04"))
    assert line.description == f"Requests to {used.subdomain}"
    assert (invoice.number, invoice.period_end) == ("DM-2026-0001", JULY)


def test_a_month_that_is_not_closed_is_not_invoiced(used):
    closing.close_hours(now=JULY + timedelta(minutes=4))

    assert invoicing.issue_due(now=JULY_2) == []
    with pytest.raises(invoicing.PeriodOpen, match="June 2026 isn't over"):
        invoicing.issue(used.team, month=NOON, now=JULY_2)


def test_issuing_twice_issues_once(used):
    issue_june()

    assert invoicing.issue_due(now=JULY_2) == []
    assert invoicing.issue(used.team, month=NOON, now=JULY_2) is None


def test_a_late_event_is_on_the_next_invoice_and_leaves_the_issued_one_alone(used, usage_event):
    june = issue_june()
    before = june.digest, june.total
    usage_event(used, at=NOON)
    closing.close_hours(now=datetime(2026, 8, 2, tzinfo=UTC))

    (july,) = invoicing.issue_due(now=datetime(2026, 8, 2, tzinfo=UTC))

    line = july.lines.get()
    assert (line.late, line.quantity, line.amount) == (True, 1, D("0.01"))
    assert line.description.endswith("of earlier months")
    june.refresh_from_db()
    assert (june.digest, june.total) == before


def test_a_failed_transaction_gives_its_number_back(used, monkeypatch):
    monkeypatch.setattr(InvoiceLine.objects, "bulk_create", _fail)
    with pytest.raises(OSError, match="power"):
        issue_june()
    monkeypatch.undo()

    assert issue_june().number == "DM-2026-0001"


def _fail(*_: object) -> None:
    raise OSError("power")


@pytest.mark.parametrize("table", [Invoice, InvoiceLine])
def test_the_database_refuses_to_change_an_invoice(used, table):
    issue_june()

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        table.objects.update(**{"total" if table is Invoice else "amount": 0})


def test_a_line_leads_to_its_hours_and_they_to_request_ids(used):
    line = issue_june().lines.get()

    hours = trail.hours(line)
    ids = [each for hour in hours for each in trail.request_ids(line, hour=hour.hour)]

    assert [each.quantity for each in hours] == [2, 1, 1]
    counted = UsageRecord.objects.filter(counted=True).values_list("pk", flat=True)
    assert sorted(ids) == sorted(map(str, counted))


def test_tax_and_address_are_data(used):
    profile = plans.profile_of(used.team)
    profile.tax_name, profile.tax_percent, profile.billed_to = "VAT", D("19"), "Ada\nBergen"
    profile.save()
    plan = plans.plan_of(used.team, at=NOON)
    assert plan.currency == "USD"

    invoice = issue_june()

    assert (invoice.subtotal, invoice.tax, invoice.total) == (D("0.04"), D("0.01"), D("0.05"))
    assert invoice.billed_to == "Ada\nBergen"


def test_a_new_price_holds_from_its_hour_on(model, usage_event):
    plan = Plan.objects.get(slug=plans.DEFAULT_PLAN)
    plans.set_price(
        plan,
        item=Item.REQUEST,
        tiers=[(None, D("1"))],
        valid_from=NOON + timedelta(hours=1),
        model_id=model.pk,
        now=NOON,
    )
    usage_event(model, at=NOON + timedelta(minutes=59))
    usage_event(model, at=NOON + timedelta(hours=1))

    invoice = issue_june()

    assert [line.amount for line in invoice.lines.all()] == [D("0.01"), D("1.00")]
    assert [len(trail.hours(line)) for line in invoice.lines.all()] == [1, 1]


def test_a_plan_may_bill_successes_model_time_and_time_awake(model, usage_event):
    plan = Plan.objects.create(slug="metered", name="Metered", currency="EUR")
    start = datetime(2026, 5, 31, tzinfo=UTC)
    for item, price, per, good in (
        (Item.REQUEST, "0.10", 1, True),
        (Item.MODEL_MS, "0.50", 1000, False),
        (Item.AWAKE_MS, "0.001", 1000, False),
    ):
        plans.set_price(
            plan,
            item=item,
            tiers=[(None, D(price))],
            per=per,
            successes_only=good,
            valid_from=start,
            now=start,
        )
    plans.subscribe(model.team, plan=plan, valid_from=start, now=start)
    model.transitions.create(generation=90, from_state="awakening", to_state="awake", at=NOON)
    model.transitions.create(
        generation=91, from_state="draining", to_state="asleep", at=NOON + timedelta(hours=2)
    )
    usage_event(model, model_ms=1_500)
    usage_event(model, model_ms=500, status=422)

    amounts = {line.item: line.amount for line in issue_june().lines.all()}

    assert amounts == {"request": D("0.10"), "model_ms": D("1.00"), "awake_ms": D("7.20")}


def test_routes_of_the_model_s_own_and_websockets_have_their_own_price(model, usage_event):
    plan = Plan.objects.create(slug="open", name="Open", currency="USD")
    start = datetime(2026, 5, 31, tzinfo=UTC)
    plans.set_price(
        plan, item=Item.PASS_THROUGH, tiers=[(None, D("0.02"))], valid_from=start, now=start
    )
    plans.subscribe(model.team, plan=plan, valid_from=start, now=start)
    own = {"route": "other", "counted": False}
    billed = [
        usage_event(model, **own),
        usage_event(model, **own, method="GET", status=101),  # a WebSocket, at its close
        usage_event(model, **own, status=500, outcome="model_error"),
    ]
    usage_event(model)  # a query: this plan has no price for it
    usage_event(model, **own, status=502, outcome="model_error")  # it died: ours
    usage_event(model, **own, status=503, outcome="refused")
    usage_event(model, **own, status=0, outcome="client_abort")

    line = issue_june().lines.get()

    assert (line.item, line.quantity, line.amount) == ("pass_through", 3, D("0.06"))
    assert {str(each.pk) for each in trail.requests(line, hour=NOON)} == {e.id for e in billed}


def test_a_price_can_not_be_set_for_the_past_or_for_half_an_hour(db):
    plan = Plan.objects.get(slug=plans.DEFAULT_PLAN)

    for moment in (NOON - timedelta(hours=1), NOON + timedelta(minutes=30)):
        with pytest.raises(InvalidValue, match="full hour"):
            plans.set_price(
                plan, item=Item.REQUEST, tiers=[(None, D(1))], valid_from=moment, now=NOON
            )


@pytest.mark.parametrize(
    "tiers", [[], [(10, 1)], [(None, 1), (None, 2)], [(9, 1), (9, 1), (None, 1)]]
)
def test_tiers_that_leave_a_hole_are_refused(db, tiers):
    plan = Plan.objects.get(slug=plans.DEFAULT_PLAN)

    with pytest.raises(InvalidValue, match="tier"):
        plans.set_price(plan, item=Item.REQUEST, tiers=tiers, valid_from=NOON, now=NOON)


def test_a_credit_note_takes_back_and_never_more_than_there_is(used):
    invoice = issue_june()

    note = credit_notes.credit(invoice, reason="An outage", amount=D("0.03"), now=JULY_2)

    assert (note.number, note.total, note.corrects) == ("DM-2026-0002", D("-0.03"), invoice)
    assert credit_notes.open_amount(invoice) == D("0.01")
    with pytest.raises(InvalidValue, match=r"up to 0\.01"):
        credit_notes.credit(invoice, reason="Again", amount=D("0.02"), now=JULY_2)


def test_what_was_paid_and_credited_becomes_credits_once(used):
    invoice = issue_june()
    payments.receive(invoice, D("0.04"), provider="manual", reference="wire 1", now=JULY_2)

    credit_notes.credit(invoice, reason="An outage", amount=D("0.01"), now=JULY_2)
    credit_notes.credit(invoice, reason="Another", amount=D("0.02"), now=JULY_2)

    assert credits.balance(used.team) == D("0.03")
    assert credit_notes.open_amount(invoice) == 0


def test_a_payment_that_is_told_twice_counts_once(used):
    invoice = issue_june()
    assert payments.status_of(invoice, now=JULY_2) == "open"

    told = [
        payments.receive(invoice, D("0.04"), provider="manual", reference="wire 1", now=JULY_2)
        for _ in range(2)
    ]

    assert told == [True, False]
    assert payments.status_of(invoice, now=JULY_2) == "paid"


def test_an_unpaid_invoice_is_overdue_after_its_days(used):
    invoice = issue_june()

    assert payments.status_of(invoice, now=JULY_2 + timedelta(days=8)) == "overdue"


def test_a_prepaid_team_pays_from_credits_and_owes_the_rest(used):
    profile = plans.profile_of(used.team)
    profile.prepaid = True
    profile.save()
    credits.add(used.team, D("0.03"), kind=EntryKind.GRANT, key="welcome", now=NOON)

    invoice = issue_june()

    assert (invoice.from_credits, invoice.due) == (D("0.03"), D("0.01"))
    assert credits.balance(used.team) == 0


def test_what_is_on_an_invoice_is_not_taken_from_credits_that_came_later(used):
    plans.set_profile(used.team, prepaid=True)
    invoice = issue_june()
    credits.add(used.team, D("1.00"), kind=EntryKind.GRANT, key="late", now=JULY_2)

    budgets.check(used.team, now=JULY_2)

    assert (invoice.from_credits, invoice.due) == (0, D("0.04"))
    assert credits.balance(used.team) == D("1.00")


@pytest.mark.parametrize("amount", ["0.005", "NaN", "Infinity", "1e30", "-1", "0"])
def test_what_is_no_amount_is_neither_noted_nor_received(used, amount):
    invoice = issue_june()

    with pytest.raises(InvalidValue):
        credit_notes.credit(invoice, reason="outage", now=JULY_2, amount=D(amount))
    with pytest.raises(InvalidValue):
        payments.receive(invoice, D(amount), provider="manual", reference="r", now=JULY_2)


def test_the_documents_say_what_the_invoice_says(used):
    invoice = issue_june()

    rows = list(csv.DictReader(io.StringIO(documents.as_csv(invoice))))
    pdf = documents.as_pdf(invoice)

    assert [row["amount"] for row in rows] == ["0.04"]
    assert documents.as_json(invoice)["total"] == "0.04"
    assert pdf.startswith(b"%PDF-")
    assert documents.as_pdf(Invoice.objects.get()) == pdf


@pytest.mark.django_db(transaction=True)
def test_invoices_written_at_once_have_numbers_without_gaps():
    Plan.objects.get_or_create(slug=plans.DEFAULT_PLAN)[0].prices.get_or_create(
        item="request",
        valid_from=datetime(2000, 1, 1, tzinfo=UTC),
        defaults={"tiers": [[None, "0.01"]]},
    )
    teams = [Team.objects.create(name=f"Team {number}") for number in range(6)]
    for team in teams:
        _use(make_model(team).model)
    closing.close_hours(now=JULY_2)

    def issue(team: Team) -> str:
        try:
            invoice = invoicing.issue(team, month=NOON, now=JULY_2)
            return invoice.number if invoice else "none"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(issue, teams * 2))

    given = sorted(number for number in numbers if number != "none")
    assert given == [f"DM-2026-{number:04d}" for number in range(1, 7)]
    assert InvoiceSeries.objects.get().last == 6


def _use(model) -> None:
    from hosting.metering import ledger
    from tests.database.conftest import make_event

    ledger.record([make_event(model)])
    rollups.refresh()
