"""Budgets of models and tokens on their pages: set, seen, used up, refused, removed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from hosting import tokens
from hosting.billing.models import Budget
from hosting.metering import ledger, rollups
from hosting.models import EndpointToken, HostedModel
from tests.database.conftest import make_event
from tests.factories import make_member, make_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(routes):
    return make_member()


@pytest.fixture
def model(owner) -> HostedModel:
    return make_model(owner.team, subdomain="tale-writer").model


@pytest.fixture
def token(model, owner) -> EndpointToken:
    """A token that four of the model's five requests came with."""
    token, _ = tokens.issue(model, label="website", created_by=owner.user)
    at = timezone.now() - timedelta(seconds=1)
    ledger.record(
        [make_event(model, at=at, token_id=token.pk) for _ in range(4)] + [make_event(model, at=at)]
    )
    rollups.refresh()
    return token


@pytest.fixture
def page(client, owner, model):
    client.force_login(owner.user)
    return client


def where(name: str, token: EndpointToken) -> str:
    parts = [token.model.subdomain, token.pk] if "token-" in name else [token.model.subdomain]
    return reverse(name, args=parts)


def text(page, address: str, *, status: int = 200) -> str:
    answer = page.get(address)
    assert answer.status_code == status
    return " ".join(answer.content.decode().split())


def test_without_a_budget_the_month_s_cost_is_shown(page, token):
    settings = text(page, where("model-settings", token))

    assert "$0.05 <small>this month" in settings
    assert "Remove budget" not in settings
    assert "$0.04" in text(page, where("model-tokens", token))


def test_a_model_s_budget_is_set_seen_and_removed(page, token):
    page.post(where("save-model-budget", token), {"amount": "1.00", "stop": "yes"})
    budget = Budget.objects.get()

    assert (budget.model, budget.token, budget.amount) == (token.model, None, Decimal(1))
    settings = text(page, where("model-settings", token))
    assert "$0.05 <small>of $1.00 budget" in settings
    assert "5 percent of the budget is used" in settings
    page.post(where("remove-model-budget", token))
    assert not Budget.objects.exists()


def test_a_token_s_budget_is_set_seen_and_removed(page, token):
    page.post(where("token-budget", token), {"amount": "0.08", "stop": "no"})
    budget = Budget.objects.get()

    assert (budget.model, budget.token, budget.stop) == (None, token, False)
    assert "50 percent of the budget is used" in text(page, where("model-tokens", token))
    assert "$0.04 <small>of $0.08 budget" in text(page, where("token-budget", token))
    page.post(where("remove-token-budget", token))
    assert not Budget.objects.exists()


def test_the_dialog_is_a_part_of_a_page(page, token):
    answer = page.get(where("token-budget", token), headers={"HX-Request": "true"})

    assert b"<html" not in answer.content
    assert b"Save budget" in answer.content


def test_a_budget_that_is_used_up_says_what_callers_get(page, token):
    page.post(where("token-budget", token), {"amount": "0.04", "stop": "yes"})
    page.post(where("save-model-budget", token), {"amount": "0.05", "stop": "yes"})

    assert "Used up: answered 402" in text(page, where("model-tokens", token))
    assert "Requests are answered 402" in text(page, where("model-settings", token))
    assert HostedModel.objects.get().payment_required


@pytest.mark.parametrize("name", ["save-model-budget", "token-budget"])
@pytest.mark.parametrize(
    ("amount", "why"),
    [("0", "above zero"), ("much", "Enter a number"), ("", "required"), ("0.001", "2 decimal")],
)
def test_a_strange_amount_is_refused_beside_its_field(page, token, name, amount, why):
    answer = page.post(where(name, token), {"amount": amount, "stop": "yes"})

    assert answer.status_code == 422
    assert why in answer.content.decode()
    assert not Budget.objects.exists()


def test_a_viewer_sees_them_and_changes_none(client, owner, page, token):
    page.post(where("save-model-budget", token), {"amount": "1.00", "stop": "yes"})
    page.post(where("token-budget", token), {"amount": "1.00", "stop": "yes"})
    client.force_login(make_member(team=owner.team, role=Role.VIEWER).user)

    assert "of $1.00 budget" in text(client, where("model-settings", token))
    assert "Save budget" not in text(client, where("model-settings", token))
    assert "of $1.00" in text(client, where("model-tokens", token))
    text(client, where("token-budget", token), status=403)


WRITING = ["save-model-budget", "remove-model-budget", "token-budget", "remove-token-budget"]


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (None, 404)])
@pytest.mark.parametrize("name", WRITING)
def test_who_may_not_change_them_is_refused(client, owner, token, name, role, status):
    somebody = make_member(team=owner.team, role=role) if role else make_member()
    client.force_login(somebody.user)

    answer = client.post(where(name, token), {"amount": "1.00", "stop": "yes"})

    assert answer.status_code == status
    assert not Budget.objects.exists()


def test_the_billing_page_lists_those_of_models_and_tokens(page, token):
    page.post(where("save-model-budget", token), {"amount": "1.00", "stop": "no"})
    page.post(where("token-budget", token), {"amount": "0.04", "stop": "yes"})

    said = text(page, reverse("billing"))
    assert "$0.05 of $1.00" in said
    assert "Used up: answered 402" in said
    assert said.index("website</a>") < said.index("$0.05 of $1.00")  # the most used up first
    tokens.revoke(token, now=timezone.now())
    assert "website</a>" not in text(page, reverse("billing"))


def test_a_team_without_any_is_told_where_they_are_set(page):
    assert "a token on the Tokens tab" in text(page, reverse("billing"))


def test_a_warning_leads_to_where_the_budget_is_shown(page, token, mailoutbox):
    page.post(where("save-model-budget", token), {"amount": "0.05", "stop": "no"})
    page.post(where("token-budget", token), {"amount": "0.04", "stop": "no"})

    assert "/models/tale-writer/settings/" in mailoutbox[0].body
    assert "/models/tale-writer/tokens/" in mailoutbox[1].body


def test_a_revoked_token_has_no_budget_to_set(page, token):
    tokens.revoke(token, now=timezone.now())

    text(page, where("token-budget", token), status=404)
