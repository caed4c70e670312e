"""The command line: words for people, JSON for programs, and an exit code that means something."""

import json
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.utils import timezone
from typer.testing import CliRunner

from cli.commands import app
from hosting.billing.models import PlanPrice
from hosting.metering import ledger
from hosting.models import HostedModel, LogLine, SpoolSource
from tests.database.conftest import NOON, make_event
from tests.factories import make_member
from tests.fakes import FakeRuntime

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(routes, tmp_path, settings):
    settings.STATE_DIR = tmp_path

    def call(*arguments: str, code: int = 0):
        answer = CliRunner().invoke(app, arguments)
        assert answer.exit_code == code, answer.output
        return json.loads(answer.output) if "--json" in arguments else answer.output

    return call


@pytest.fixture
def asked(model):
    ledger.record([make_event(model, at=timezone.now() - timedelta(hours=1)) for _ in range(3)])
    return model


def test_books_that_agree_are_reconciled(run, asked):
    assert "Reconciled: everything agrees (3 records" in run("usage", "verify")
    assert run("usage", "verify", "--json")["agrees"]


def test_a_difference_is_named_and_the_exit_code_is_one(run, asked):
    run("usage", "verify")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE hosting_usagerecord SET status = 201 WHERE position = 2")
        cursor.execute("SET session_replication_role = origin")

    found = run("usage", "verify", "--json", code=1)

    assert "(number 2 of" in found["findings"][0]["what"]


def test_usage_is_shown_by_model(run, asked):
    run("usage", "verify")

    assert asked.subdomain in run("usage", "show", "Northlight")
    assert run("usage", "show", "Northlight", "--by", "status", "--json")[0]["counted"] == 3


def test_rebuilding_changes_nothing_that_is_right(run, asked):
    assert run("usage", "rebuild", "--since", "2020-01-01", "--json") == {"hours": 1}
    assert run("usage", "verify", "--json")["agrees"]


def test_a_host_that_is_gone_is_no_longer_waited_for(run):
    source = SpoolSource.objects.create(spool_id="7" * 32, router="router-0")

    assert "router-0" in run("usage", "spools")
    run("usage", "retire-spool", str(source.spool_id))
    assert "no such spool" in run("usage", "retire-spool", str(source.spool_id), code=1)


def test_credits_are_granted_and_a_payment_counts_once(run, team):
    run("credits", "grant", "Northlight", "5.00")
    run("credits", "grant", "Northlight", "10.00", "--purchase", "wire 7")
    again = run("credits", "grant", "Northlight", "10.00", "--purchase", "wire 7", "--json")

    assert again == {"added": False, "balance": "15.00"}
    assert "wire 7" in run("credits", "show", "Northlight")


def test_a_price_comes_into_force_later(run):
    run("prices", "set", "pay-as-you-go", "request", "0.02", "--from", "2099-01-01")

    assert PlanPrice.objects.count() == 2
    assert "0.02" in run("prices", "list")
    assert "still to come" in run(
        "prices", "set", "pay-as-you-go", "request", "0.02", "--from", "2001-01-01", code=1
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("invoices", "show", "DM-1"),
        ("credits", "show", "Nobody"),
        ("credits", "grant", "Northlight", "much"),
        ("prices", "set", "gold", "request", "1", "--from", "2099-01-01"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(run, team, arguments):
    answer = run(*arguments, code=1)

    assert answer.startswith("dormouse: ")
    assert answer.count("\n") == 1


def test_nothing_is_due_at_first(run):
    assert run("invoices", "issue") == "Nothing is due.\n"
    assert run("invoices", "list", "--json") == []


def test_an_operator_sees_what_is_held_and_who_waits(run, model, monkeypatch):
    monkeypatch.setattr("hosting.lifecycle.engine.runtime", FakeRuntime)
    model.replicas.create(revision=model.revision, runtime="fake")
    HostedModel.objects.filter(pk=model.pk).update(
        state="awakening", wait_reason="No machine has 512 MiB of memory free."
    )

    assert "512 of 800,000" in run("capacity", "show")
    assert f"{model} waits: No machine" in run("capacity", "show")
    assert run("capacity", "show", "--json")["nodes"][0]["held"]["memory_mb"] == 512


def test_an_operator_limits_a_team_and_takes_the_limit_back(run, team):
    limited = run("capacity", "limit", team.name, "--memory", "4096", "--json")
    more = run("capacity", "limit", team.name, "--gpus", "2", "--json")
    cleared = run("capacity", "limit", team.name, "--clear", "--json")

    assert limited["limit"] == {"memory_mb": 4096, "cpus": None, "gpus": None}
    assert more["limit"] == {"memory_mb": 4096, "cpus": None, "gpus": 2}
    assert set(cleared["limit"].values()) == {None}


def test_a_log_is_printed_with_time_replica_and_stream(run, model):
    replica = model.replicas.create(revision=model.revision, runtime="fake")
    for text in ("one", "two"):
        LogLine.objects.create(model=model, replica=replica, at=NOON, stream="stderr", text=text)

    printed = run("logs", model.subdomain, "--lines", "1")

    assert printed == f"2026-06-01T12:00:00.000Z r{replica.pk} stderr two\n"
    assert run("logs", model.subdomain, "--stream", "stdout") == ""


@pytest.mark.parametrize("arguments", [["nobody"], ["{name}", "--stream", "x"]])
def test_a_log_that_is_not_there_is_told_in_one_line(run, model, arguments):
    given = [each.format(name=model.subdomain) for each in arguments]

    assert run("logs", *given, code=1).startswith("dormouse: ")


def test_an_operator_logs_in_to_a_registry_for_a_team(run, team, monkeypatch):
    monkeypatch.setattr(
        "hosting.registries.settings.SECRETS_KEYS", [Fernet.generate_key().decode()]
    )
    host = "registry.example.org:5000"

    run("registries", "login", host, "ada", "--team", team.name, "--password", "hush")
    listed = run("registries", "list", "--team", team.name)
    run("registries", "logout", host, "--team", team.name)

    assert host in listed
    assert "hush" not in listed
    run("registries", "logout", host, "--team", team.name, code=1)


def test_somebody_who_signed_up_is_made_an_operator_and_unmade(run):
    member = make_member(email="ada@example.org")

    run("operators", "add", "Ada@example.org")
    member.user.refresh_from_db()
    was = member.user.is_operator
    listed = run("operators", "list", "--json")
    run("operators", "remove", "ada@example.org")

    assert was
    assert listed == ["ada@example.org"]
    assert run("operators", "list", "--json") == []
    assert "Nobody has signed up" in run("operators", "add", "b@example.org", code=1)


@pytest.mark.parametrize("amount", ["ten", "NaN", "Infinity", "1e30"])
def test_what_is_no_amount_is_refused_in_words(run, model, amount):
    said = run("credits", "grant", str(model.team_id), amount, code=1)

    assert f"“{amount}” is not an amount. Write it as 12.50." in said


def test_credits_that_would_expire_at_once_are_not_given(run, model):
    team = str(model.team_id)

    said = run("credits", "grant", team, "5", "--expires", "2020-01-01", code=1)

    assert "Choose a day to come" in said
    assert "Balance 0.00" in run("credits", "show", team)


@pytest.mark.parametrize("half", [("--team", "1"), ("--month", "2026-09")])
def test_half_of_a_team_s_month_issues_nothing(run, half):
    assert "together" in run("invoices", "issue", *half, code=1)


def test_a_team_that_is_not_there_is_answered_with_those_that_are(run, model):
    said = run("credits", "show", "nobody", code=1)

    assert f"There are: {model.team_id} ({model.team.name})." in said
