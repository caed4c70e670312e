"""What a person sees when something is refused or breaks: what to do, nothing of our insides."""

import logging
import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from hosting import queries
from hosting.api.request_ids import HEADER
from tests.api_operations import send
from tests.factories import make_key, make_member, make_model

pytestmark = pytest.mark.django_db

GIVEN = "0190b5a0-0000-7000-8000-000000000001"
INSIDES = re.compile(
    r"Traceback|\.py\b|hunter2|RuntimeError|Exception|SELECT|psycopg|site-packages"
)


@pytest.fixture
def viewer(client):
    owner = make_member(email="ada@example.org")
    make_model(owner.team, subdomain="own-model")
    member = make_member(team=owner.team, role=Role.VIEWER)
    client.force_login(member.user)
    return member


@pytest.fixture
def bug(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(queries, "hosted_models", broken)


def test_an_address_that_is_not_there_leads_to_the_models(client, viewer):
    answer = client.get("/models/nobody-has-this/")

    assert answer.status_code == 404
    assert "Check the spelling" in answer.text
    assert f'href="{reverse("models")}"' in answer.text
    assert not INSIDES.search(answer.text)


def test_a_stranger_is_told_no_more_about_an_address_than_that_it_is_not_there(client):
    answer = client.get("/nothing/here/")

    assert answer.status_code == 404
    assert "Check the spelling" in answer.text
    assert "urlpatterns" not in answer.text


def test_who_may_not_is_told_who_may(client, viewer):
    answer = client.post(reverse("model-sleep", args=["own-model"]))

    assert answer.status_code == 403
    assert "ada@example.org (owner)" in answer.text
    assert not INSIDES.search(answer.text)


def test_a_form_without_our_token_is_told_to_be_loaded_again(viewer):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(viewer.user)

    answer = browser.post(reverse("model-sleep", args=["own-model"]))

    assert answer.status_code == 403
    assert "reload the page and send it again. Nothing was changed." in answer.text
    assert "CSRF" not in answer.text.upper().replace("CSRFMIDDLEWARETOKEN", "")


def test_a_bug_is_a_page_with_a_number_to_quote_that_is_in_the_log(client, viewer, bug, caplog):
    client.raise_request_exception = False

    answer = client.get(reverse("models"), headers={HEADER: GIVEN})

    assert answer.status_code == 500
    assert "Try again in a moment" in answer.text
    assert f"tell whoever runs this installation this number: <code>{GIVEN}</code>" in answer.text
    assert not INSIDES.search(answer.text)
    assert f"[{GIVEN}] Internal Server Error: /" in written(caplog)


def test_a_bug_in_the_api_is_a_problem_with_the_same_number(client, viewer, bug):
    client.raise_request_exception = False
    key = make_key(viewer)[1]

    answer = send(client, "GET", "/api/v1/models/", key=key)

    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer[HEADER]
    assert "tell your operator the request_id" in answer.json()["detail"]
    assert not INSIDES.search(answer.text)


@pytest.mark.parametrize("path", ["/accounts/login/", "/api/v1/models/", "/nothing/here/"])
def test_every_answer_has_a_number_of_its_own(client, path):
    first, second = client.get(path)[HEADER], client.get(path)[HEADER]

    assert re.fullmatch(r"[0-9a-f-]{36}", first)
    assert first != second


@pytest.mark.parametrize(
    "given", ["short", "x" * 65, "a b c d e f", "<script>alert(1)</script>", ""]
)
def test_a_number_that_makes_no_sense_is_not_kept(client, given):
    answer = client.get("/accounts/login/", headers={HEADER: given})

    assert re.fullmatch(r"[0-9a-f-]{36}", answer[HEADER])


def written(caplog):
    """The lines as the log has them."""
    handler = logging.getLogger().handlers[0]
    lines = []
    for record in caplog.records:
        handler.filter(record)
        lines.append(handler.format(record))
    return "\n".join(lines)
