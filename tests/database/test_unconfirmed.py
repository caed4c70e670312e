"""Requests whose end nobody knows: who sees them, and how each is settled, once."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from typer.testing import CliRunner

from cli.commands import app
from hosting.billing import credits, plans, unconfirmed
from hosting.errors import InvalidValue
from hosting.models import RouterKill, SpoolSource, UnconfirmedRequest
from tests.database.conftest import NOON
from tests.factories import make_member, make_model

pytestmark = pytest.mark.django_db
REQUEST = "0190b5a0-0000-7000-8000-00000000000a"


@pytest.fixture
def owner(routes):
    return make_member()


@pytest.fixture
def found(owner) -> UnconfirmedRequest:
    """A router was killed with four connections, and one request was just written down."""
    model = make_model(owner.team, subdomain="tale-writer").model
    source = SpoolSource.objects.create(
        spool_id="0190b5a0-0000-7000-8000-000000000000", router="router-0"
    )
    kill = RouterKill.objects.create(source=source, boot=3, found_at=NOON, connections=4)
    return UnconfirmedRequest.objects.create(
        request_id=REQUEST,
        kill=kill,
        team_id=owner.team.pk,
        model_id=model.pk,
        token_id=0,
        arrived_at=timezone.now() - timedelta(seconds=9),
        status=200,
        counted=True,
    )


@pytest.fixture
def page(client, owner):
    client.force_login(owner.user)
    return client


def run(*arguments: str, code: int = 0):
    answer = CliRunner().invoke(app, ["usage", *arguments])
    assert answer.exit_code == code, answer.output
    return json.loads(answer.output) if "--json" in arguments else answer.output


def said(page, name: str) -> str:
    return " ".join(page.get(reverse(name)).content.decode().split())


def test_a_refund_gives_the_price_back_once(owner, found):
    unconfirmed.settle(REQUEST, refund=True, now=NOON)

    with pytest.raises(InvalidValue, match="settled already"):
        unconfirmed.settle(REQUEST, refund=True, now=NOON)
    assert credits.balance(owner.team) == Decimal("0.01")


def test_a_refund_includes_the_tax_and_is_rounded_up_to_a_cent(owner, found):
    profile = plans.profile_of(owner.team)
    profile.tax_percent = Decimal(20)
    profile.save()

    assert unconfirmed.settle(REQUEST, refund=True, now=NOON).refunded == Decimal("0.02")


def test_what_stands_costs_what_it_cost(owner, found):
    unconfirmed.settle(REQUEST, refund=False, now=NOON)

    assert credits.balance(owner.team) == 0


def test_an_operator_lists_and_settles_them(owner, found):
    (row,) = run("unconfirmed", "--json")

    assert (row["id"], row["router"], row["at_most"]) == (REQUEST, "router-0", 4)
    assert "open" in run("unconfirmed", "--team", owner.team.name)
    assert "0.01 given back" in run("settle", REQUEST, "--refund")
    assert "0.01 given back" in run("unconfirmed")
    assert "settled already" in run("settle", REQUEST, "--keep", code=1)


def test_no_killed_router_is_said_so(db):
    assert run("unconfirmed") == "None. No router was killed mid-answer.\n"
    assert "is not unconfirmed" in run("settle", REQUEST, "--keep", code=1)


def test_the_team_sees_them_until_they_are_settled(page, found):
    assert "of 1 billed request nobody knows" in said(page, "usage")
    assert REQUEST in said(page, "unconfirmed")
    assert "Open" in said(page, "unconfirmed")

    unconfirmed.settle(REQUEST, refund=True, now=NOON)

    assert "nobody knows" not in said(page, "usage")
    assert "$0.01 as credits" in said(page, "unconfirmed")


def test_a_team_without_any_is_told_so(page):
    assert "None. No router was killed" in said(page, "unconfirmed")


def test_another_team_sees_none_of_them(client, found):
    client.force_login(make_member().user)

    assert REQUEST not in said(client, "unconfirmed")
    assert "nobody knows" not in said(client, "usage")


def test_a_stranger_is_asked_to_sign_in(client, db):
    assert client.get(reverse("unconfirmed")).status_code == 302
