"""Going back: by the door of a deploy, or at once; and who decided it."""

import pytest
from django.test import Client

from hosting import route_table
from hosting.lifecycle import operations, revisions
from hosting.lifecycle.golden import Answer
from hosting.lifecycle.reconcile import reconcile
from hosting.lifecycle.tools import Tools
from hosting.models import Decision, GoldenRequest, HostedModel, Revision
from tests.api_operations import send
from tests.database.conftest import NOON
from tests.factories import make_canary, make_golden_request, make_key, make_member, make_model

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routes")]

NEWER = operations.RevisionSpec(image="example.org/echo:2", protocol="http", query_path="/new")
GOOD, BAD = Answer(200, b'{"text": "hello"}'), Answer(500, b"{}")


@pytest.fixture
def back_to_first(host_model, tools):
    """A model whose second revision serves, with a golden request kept since."""
    model = host_model()
    operations.wake(model, cause="request", now=NOON)
    reconcile(model.pk, tools=tools)
    operations.deploy(model, revision=NEWER, created_by=None, now=NOON)
    reconcile(model.pk, tools=tools)
    reconcile(model.pk, tools=tools)  # the first one's replica is released
    GoldenRequest.objects.create(
        model=model, name="a greeting", input={"text": "hello"}, expected_keys=["text"]
    )
    model.refresh_from_db()
    return model


@pytest.fixture
def owner(db):
    return make_member(email="ada@example.org")


@pytest.fixture
def browser(client: Client, owner) -> Client:
    client.force_login(owner.user)
    return client


def answering(tools, answer, asked=None):
    def ask(*_, **said):
        if asked is not None:
            asked.append(said["path"])
        return answer

    return Tools(runtime=tools.runtime, probe=tools.probe, clock=tools.clock, ask=ask)


def roll_back(model, **how):
    return operations.roll_back(model, number=1, by=None, now=NOON, **how)


def serving(model) -> int:
    return route_table.build(HostedModel.objects.get(pk=model.pk)).revision


def test_who_fails_a_golden_request_does_not_come_back(back_to_first, tools):
    roll_back(back_to_first)

    reconcile(back_to_first.pk, tools=answering(tools, BAD))

    back_to_first.refresh_from_db()
    assert back_to_first.revision.number == serving(back_to_first) == 2
    assert "“a greeting” failed" in back_to_first.revisions.get(number=1).rejected_reason


def test_who_answers_takes_over(back_to_first, tools):
    asked = []
    roll_back(back_to_first)
    assert serving(back_to_first) == 2

    reconcile(back_to_first.pk, tools=answering(tools, GOOD, asked))

    assert serving(back_to_first) == 1
    assert len(asked) == 1


def test_in_an_emergency_nobody_is_asked(back_to_first, tools):
    asked = []
    roll_back(back_to_first, ask=False)

    reconcile(back_to_first.pk, tools=answering(tools, BAD, asked))

    assert serving(back_to_first) == 1
    assert asked == []
    assert Decision.objects.first().detail == "without asking the golden requests"


def test_in_an_emergency_one_that_never_served_may_come_too(back_to_first, tools):
    Revision.objects.filter(model=back_to_first, number=1).update(admitted_at=None)
    roll_back(back_to_first, ask=False)

    reconcile(back_to_first.pk, tools=answering(tools, BAD))

    assert serving(back_to_first) == 1


def test_who_still_serves_has_nothing_to_prove(back_to_first, tools):
    operations.deploy(back_to_first, revision=NEWER, created_by=None, now=NOON)
    asked = []

    operations.roll_back(back_to_first, number=2, by=None, now=NOON)
    reconcile(back_to_first.pk, tools=answering(tools, BAD, asked))

    assert serving(back_to_first) == 2
    assert asked == []


def test_what_ran_for_its_address_alone_takes_no_traffic_unasked(back_to_first, tools, runtime):
    operations.reach(back_to_first, number=1, now=NOON)
    reconcile(back_to_first.pk, tools=tools)
    pinned = back_to_first.replicas.get(revision__number=1, status="ready")
    roll_back(back_to_first)
    assert serving(back_to_first) == 2

    reconcile(back_to_first.pk, tools=answering(tools, GOOD))

    pinned.refresh_from_db()
    assert serving(back_to_first) == 1
    assert pinned.status in ("draining", "gone")


def test_every_decision_is_kept_with_who_and_when(owner):
    model, by = make_model(owner.team, subdomain="owl").model, owner.user
    make_canary(model)

    operations.promote(model, by=by, now=NOON)
    operations.roll_back(model, number=1, by=by, now=NOON)
    operations.start_canary(model, number=2, share=0, created_by=by, now=NOON)
    operations.abort_canary(model, by=by, now=NOON)

    assert [(each.kind, each.revision.number, each.by, each.at) for each in Decision.objects.all()][
        :4
    ] == [
        ("aborted", 2, by, NOON),
        ("tried", 2, by, NOON),
        ("rolled_back", 1, by, NOON),
        ("promoted", 2, by, NOON),
    ]


def test_what_is_called_off_by_itself_says_so_and_why(back_to_first):
    second = back_to_first.revision

    revisions.call_off(back_to_first, second, reason="12 of 40 failed.", now=NOON)

    decision = Decision.objects.first()
    assert (decision.kind, decision.by, decision.detail) == ("called_off", None, "12 of 40 failed.")


def test_the_api_asks_unless_told_not_to_and_lists_who_decided(client, owner):
    model = make_model(owner.team, subdomain="owl").model
    operations.deploy(model, revision=NEWER, created_by=owner.user)
    key = make_key(owner)[1]
    Revision.objects.update(admitted_at=NOON)
    here = "/api/v1/models/owl/"

    send(client, "POST", f"{here}revisions/rollback/", {"number": 1, "ask": False}, key=key)
    assert model.revisions.get(number=1).admitted_at == NOON
    send(client, "POST", f"{here}revisions/rollback/", {"number": 2}, key=key)
    assert model.revisions.get(number=2).admitted_at is None

    last, before, *_ = send(client, "GET", f"{here}decisions/", key=key).json()["results"]
    assert (last["kind"], last["revision"], last["by"]) == ("rolled_back", 2, "ada@example.org")
    assert before["detail"] == "without asking the golden requests"


def test_the_page_offers_both_ways_and_says_who_went_back(browser, owner):
    model = make_model(owner.team, subdomain="owl").model
    operations.deploy(model, revision=NEWER, created_by=None)
    page = "/models/owl/revisions/"
    assert "Now, unasked" not in browser.get(page).text
    make_golden_request(model)
    assert "Now, unasked" in browser.get(page).text

    answer = browser.post(f"{page}1/current/", {"unasked": "1"}, follow=True)

    assert "It takes over when it runs, without being asked." in answer.text
    assert "Made current again" in answer.text
    assert "without asking the golden requests" in answer.text
    assert str(owner.user) in answer.text
