"""Canaries, pinned addresses and golden requests over the API."""

import pytest

from hosting.lifecycle.golden_requests import MOST_REQUESTS
from hosting.models import HostedModel
from tests.api_operations import send
from tests.factories import make_canary, make_golden_request, make_key, make_member, make_model

pytestmark = pytest.mark.django_db

SPEC = {"image": "example.org/echo:2", "protocol": "http"}


@pytest.fixture
def member():
    return make_member()


@pytest.fixture
def model(member):
    return make_model(member.team, subdomain="owl").model


@pytest.fixture
def call(client, member, model):
    """Send something to an address below the model's."""
    key = make_key(member)[1]

    def call(method, path, body=None):
        return send(client, method, f"/api/v1/models/owl/{path}", body, key=key)

    return call


def uses(call):
    found = call("GET", "revisions/").json()["results"]
    return [(each["number"], each["use"], each["share"]) for each in found]


@pytest.mark.parametrize(("method", "path"), [("DELETE", "canary/"), ("POST", "canary/promote/")])
def test_without_a_canary_there_is_nothing_to_end(call, method, path):
    answer = call(method, path)

    assert (answer.status_code, answer.json()["code"]) == (409, "no_canary")


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"number": 9, "share": 10}, "number"),
        ({"number": 1, "share": 10}, "number"),
        ({"number": 2, "share": 101}, "share"),
        ({"number": 2}, "share"),
    ],
)
def test_a_canary_that_makes_no_sense_is_refused(call, model, body, names):
    make_canary(model)

    answer = call("PUT", "canary/", body)

    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [names]


def test_a_new_revision_can_begin_as_a_canary(call):
    answer = call("POST", "revisions/", SPEC | {"canary_share": 5})

    assert (answer.status_code, answer.json()["use"], answer.json()["share"]) == (201, "canary", 5)
    assert uses(call) == [(2, "canary", 5), (1, "current", None)]


def test_a_canary_s_share_is_changed_and_it_is_promoted(call, model):
    make_canary(model)

    changed = call("PUT", "canary/", {"number": 2, "share": 50})
    promoted = call("POST", "canary/promote/")

    assert (changed.json()["share"], promoted.json()["use"]) == (50, "current")
    assert uses(call) == [(2, "current", None), (1, "new", None)]


def test_an_aborted_canary_stays_in_the_list(call, model):
    make_canary(model)

    assert call("DELETE", "canary/").status_code == 204
    assert uses(call) == [(2, "new", None), (1, "current", None)]


def test_every_revision_has_an_address_of_its_own(call):
    (revision,) = call("GET", "revisions/").json()["results"]

    assert "//owl--r1." in revision["pinned_endpoint"]
    assert revision["pinned_endpoint"].endswith("/v1")


def test_going_back_by_itself_can_be_switched_off(call):
    call("PATCH", "", {"auto_rollback": False})

    assert call("GET", "").json()["auto_rollback"] is False
    assert not HostedModel.objects.get().auto_rollback


def test_a_golden_request_is_kept_and_forgotten(call):
    body = {"name": "greets", "input": {"text": "hi"}, "expected_keys": ["text"]}

    kept = call("POST", "golden-requests/", body)
    listed = call("GET", "golden-requests/").json()["results"]
    forgotten = call("DELETE", f"golden-requests/{kept.json()['id']}/")

    assert kept.status_code == 201
    assert listed == [kept.json()]
    assert listed[0] | body == listed[0]
    assert forgotten.status_code == 204
    assert call("GET", "golden-requests/").json()["results"] == []


def test_two_golden_requests_of_one_name_are_refused(call, model):
    make_golden_request(model)

    answer = call("POST", "golden-requests/", {"name": "any", "input": {}})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "name"


def test_golden_requests_have_a_bound(call):
    for number in range(MOST_REQUESTS):
        call("POST", "golden-requests/", {"name": str(number), "input": {}})

    answer = call("POST", "golden-requests/", {"name": "one more", "input": {}})

    assert answer.status_code == 422
    assert "20 golden requests at most" in answer.json()["detail"]
