"""The pages of usage, billing and invoices: what they say, and to whom."""

import io
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from hosting import tokens
from hosting.billing import invoicing
from hosting.billing.models import Budget, Invoice
from hosting.metering import closing, ledger, rollups
from tests.database.conftest import make_event
from tests.factories import make_member, make_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(routes):
    return make_member()


@pytest.fixture
def model(owner):
    """A model with three requests this month, and five that were invoiced."""
    model = make_model(owner.team, subdomain="tale-writer").model
    now = timezone.now()
    last_month = now.replace(day=1, hour=12) - timedelta(days=1)
    ledger.record(
        [make_event(model, at=now - timedelta(seconds=1)) for _ in range(3)]
        + [make_event(model, at=last_month) for _ in range(5)]
    )
    rollups.refresh()
    closing.close_hours(now=now + timedelta(minutes=10) if now.day == 1 else now)
    invoicing.issue_due(now=now)
    return model


@pytest.fixture
def page(client, owner, model):
    client.force_login(owner.user)
    return client


def text(answer):
    assert answer.status_code == 200, answer
    return answer.content.decode()


def test_billing_says_what_the_month_costs_and_lists_the_invoices(page):
    said = text(page.get(reverse("billing")))

    assert "$0.03" in said
    assert Invoice.objects.get().number in said
    assert "Not compared yet" in said


def test_the_cost_of_each_day_is_a_table_too(page):
    said = text(page.get(reverse("billing")))

    assert 'aria-label="Cost per day as a table"' in said
    today = f"{timezone.now().day} {timezone.now():%b}"
    assert re.search(rf"<td>{today}</td>\s*<td class=\"r\">\$0\.03</td>", said)


def test_a_month_that_cost_nothing_draws_no_chart(client, owner):
    client.force_login(owner.user)
    said = text(client.get(reverse("billing")))

    assert "No day of this month has cost anything yet." in said


@pytest.mark.parametrize("split", ["token", "model"])
def test_costs_are_split_as_chosen(page, split):
    said = text(page.get(reverse("billing"), {"by": split}))

    assert {"token": "Without a token", "model": "tale-writer"}[split] in said


@pytest.mark.parametrize("name", ["usage", "billing"])
def test_a_token_is_shown_with_its_model(page, model, name):
    token, _ = tokens.issue(model, label="website")
    ledger.record([make_event(model, at=timezone.now(), token_id=token.pk)])
    rollups.refresh()

    assert "website of tale-writer" in text(page.get(reverse(name), {"by": "token"}))


def test_a_budget_is_saved_and_removed(page, owner):
    page.post(reverse("save-budget"), {"amount": "100.00", "stop": "yes"})
    budget = Budget.objects.get()

    assert (budget.amount, budget.stop, budget.team) == (Decimal(100), True, owner.team)
    assert "of $100.00 budget" in text(page.get(reverse("billing")))
    page.post(reverse("remove-budget"))
    assert not Budget.objects.exists()


def test_a_strange_budget_is_refused_beside_its_field(page):
    answer = page.post(reverse("save-budget"), {"amount": "-1", "stop": "no"})

    assert answer.status_code == 422
    assert "Choose an amount above zero" in answer.content.decode()


def test_a_used_up_budget_is_said_on_the_page(page):
    page.post(reverse("save-budget"), {"amount": "0.01", "stop": "yes"})

    assert "answers, 402" not in text(page.get(reverse("billing")))
    assert "1 model answers 402." in " ".join(text(page.get(reverse("billing"))).split())


def test_an_invoice_leads_to_its_lines_hours_and_requests(page):
    number = Invoice.objects.get().number
    assert "Requests to tale-writer" in text(page.get(reverse("invoice", args=[number])))
    there = reverse("invoice-line", args=[number, 1])
    hours = text(page.get(there))

    key = hours.split("?hour=")[1].split('"')[0]

    assert text(page.get(there, {"hour": key})).count("200</td>") == 5


@pytest.mark.parametrize(
    ("kind", "starts"), [("pdf", b"%PDF"), ("csv", b"invoice,"), ("json", b"{")]
)
def test_an_invoice_comes_as_a_file(page, kind, starts):
    number = Invoice.objects.get().number

    answer = page.get(reverse("invoice-document", args=[number, kind]))

    assert answer.content.startswith(starts)
    assert f'filename="{number}.{kind}"' in answer["Content-Disposition"]


@pytest.mark.parametrize("name", ["invoice", "invoice-document", "invoice-line"])
def test_another_team_s_invoice_is_as_absent_as_one_that_never_was(client, model, name):
    client.force_login(make_member().user)
    number = Invoice.objects.get().number
    more = {"invoice-document": ["pdf"], "invoice-line": [1]}.get(name, [])

    assert client.get(reverse(name, args=[number, *more])).status_code == 404


@pytest.mark.parametrize("name", ["billing", "usage"])
def test_another_team_sees_nothing_of_it(client, model, name):
    client.force_login(make_member().user)

    assert "tale-writer" not in text(client.get(reverse(name)))


@pytest.mark.parametrize("name", ["save-budget", "remove-budget"])
def test_a_viewer_changes_no_budget(client, owner, name):
    client.force_login(make_member(team=owner.team, role=Role.VIEWER).user)

    assert client.post(reverse(name), {"amount": "1", "stop": "no"}).status_code == 403
    assert "Save budget" not in text(client.get(reverse("billing")))


@pytest.mark.parametrize("name", ["billing", "usage"])
def test_a_stranger_is_asked_to_sign_in(client, db, name):
    assert client.get(reverse(name)).status_code == 302


@pytest.mark.parametrize("window", ["1h", "24h", "7d", "30d", "12m", "nonsense"])
@pytest.mark.parametrize("by", ["model", "status", "token", "revision"])
def test_usage_is_shown_for_every_window_and_split(page, window, by):
    said = text(page.get(reverse("usage"), {"window": window, "by": by}))

    assert "Split up" in said


def test_usage_of_nothing_says_no_share_of_nothing(client, owner):
    client.force_login(owner.user)

    assert "99 %" not in text(client.get(reverse("usage")))


def test_a_time_zone_nobody_knows_is_said_so(page):
    assert "no such time zone" in text(page.get(reverse("usage"), {"zone": "Moon/Sea"}))


def test_usage_is_exported_line_by_line(page):
    rows = [
        json.loads(line)
        for line in b"".join(page.get(reverse("usage-export", args=["jsonl"])).streaming_content)
        .decode()
        .splitlines()
    ]
    table = b"".join(page.get(reverse("usage-export", args=["csv"])).streaming_content).decode()

    assert len(rows) >= 3
    assert rows[-1]["outcome"] == "ok"
    assert len(io.StringIO(table).readlines()) == len(rows) + 1
    assert datetime.fromisoformat(rows[-1]["arrived_at"]).tzinfo == UTC
