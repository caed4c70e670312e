"""Hosted models over the admin API."""

from base64 import b64encode
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Membership
from hosting import catalogue
from hosting.lifecycle import machine
from hosting.models import Build, EndpointToken, HostedModel, Replica, UsageMinute
from hosting.states import Event
from tests.api_operations import send
from tests.factories import make_key, make_member, make_model

REVISION = {"image": "example.org/echo:1", "protocol": "http"}


@pytest.fixture
def member(db: None) -> Membership:
    return make_member(email="ada@example.org")


@pytest.fixture
def api(client, member):
    """Send a request as Ada, whose team is empty."""
    key = make_key(member)[1]

    def ask(method, path, body=None):
        return send(client, method, f"/api/v1/{path}", body, key=key)

    return ask


def test_a_subdomain_somebody_has_is_refused_and_names_the_field(api):
    make_model(make_member().team, subdomain="owl")

    answer = api("POST", "models/", {"subdomain": "owl", "revision": REVISION})

    assert answer.status_code == 409
    assert answer.json()["code"] == "subdomain_taken"
    assert answer.json()["errors"][0]["field"] == "subdomain"


@pytest.mark.parametrize("name", ["ab", "Owl", "owl-", "o--wl", "1owl", "admin", "xn--owl"])
def test_a_subdomain_that_can_not_be_is_refused(api, name):
    answer = api("POST", "models/", {"subdomain": name, "revision": REVISION})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "subdomain"
    assert not HostedModel.objects.exists()


def test_every_wrong_field_is_named_at_once(api):
    body = {
        "subdomain": "x",
        "public": "perhaps",
        "revision": {"image": "example.org/echo:1", "protocol": "smoke", "port": 0},
    }

    answer = api("POST", "models/", body).json()

    fields = {each["field"] for each in answer["errors"]}
    assert fields == {"subdomain", "public", "revision.protocol", "revision.port"}
    assert answer["status"] == 422


@pytest.mark.parametrize(
    ("revision", "field"),
    [
        ({"image": "http://no/scheme"}, "revision.image"),
        ({"image": "catalogue:nothing"}, "revision.image"),
        ({"health_path": "no-slash"}, "revision.health_path"),
        ({"health_path": "/gesundheit/ü"}, "revision.health_path"),
        ({"query_path": "/übersetze"}, "revision.query_path"),
        ({"environment": {"lower": "x"}}, "revision.environment"),
    ],
)
def test_what_the_domain_refuses_is_named_where_it_stands_in_the_body(api, revision, field):
    answer = api("POST", "models/", {"subdomain": "owl", "revision": REVISION | revision})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_an_image_of_your_own_needs_a_protocol(api):
    answer = api("POST", "models/", {"subdomain": "owl", "revision": {"image": "a/b:1"}})

    assert answer.json()["errors"][0]["field"] == "revision.protocol"


@pytest.mark.parametrize("position", ["a", "-1", "1.5", "9" * 30, "٣", "1 ", "\0"])
@pytest.mark.parametrize("path", ["models/owl/revisions/", "models/owl/tokens/", "api-keys/"])
def test_a_cursor_that_is_no_position_is_a_wrong_value(api, path, position):
    api("POST", "models/", {"subdomain": "owl", "revision": REVISION})
    cursor = b64encode(urlencode({"p": position}).encode()).decode()

    answer = api("GET", f"{path}?{urlencode({'cursor': cursor})}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "cursor"


def test_a_private_model_comes_with_a_token_that_is_shown_once(api):
    created = api("POST", "models/", {"subdomain": "owl", "revision": REVISION})

    secret = created.json()["token"]["secret"]
    assert created["Location"] == "/api/v1/models/owl/"
    assert created.json()["state"] == "asleep"
    assert secret.startswith("dme_")
    for path in ("models/", "models/owl/", "models/owl/tokens/"):
        assert secret not in api("GET", path).content.decode()
    assert secret not in str(list(EndpointToken.objects.values()))


def test_a_public_model_comes_without_a_token(api):
    created = api("POST", "models/", {"subdomain": "owl", "public": True, "revision": REVISION})

    assert created.json()["token"] is None


def test_a_catalogue_entry_chooses_what_is_left_open(api):
    body = {"subdomain": "owl", "revision": {"image": "catalogue:echo", "memory_mb": 99}}

    revision = api("POST", "models/", body).json()["revision"]

    assert revision["catalogue"] == "echo"
    assert revision["protocol"] == "runway"
    assert revision["command"]
    assert revision["memory_mb"] == 99


def test_a_change_leaves_the_rest_alone(api, member):
    make_model(member.team, subdomain="owl", description="Hoots.", idle_timeout_seconds=60)

    answer = api("PATCH", "models/owl/", {"public": True}).json()

    assert answer["public"] is True
    assert answer["description"] == "Hoots."
    assert answer["idle_timeout_seconds"] == 60


def test_what_a_model_is_called_and_runs_does_not_change_by_patch(api, member):
    make_model(member.team, subdomain="owl")

    api("PATCH", "models/owl/", {"subdomain": "cat", "state": "awake", "id": 1})

    model = HostedModel.objects.get()
    assert (model.subdomain, model.state) == ("owl", "asleep")


def test_the_active_switch_works_by_patch_too(api, member):
    make_model(member.team, subdomain="owl")

    off = api("PATCH", "models/owl/", {"active": False}).json()
    wake = api("POST", "models/owl/wake/")
    on = api("PATCH", "models/owl/", {"active": True}).json()

    assert (off["active"], on["active"]) == (False, True)
    assert (wake.status_code, wake.json()["code"]) == (409, "model_inactive")


def test_waking_twice_wakes_once(api, member):
    make_model(member.team, subdomain="owl")

    answers = [api("POST", "models/owl/wake/") for _ in range(2)]

    assert [each.status_code for each in answers] == [202, 202]
    assert answers[1].json()["state"] == "awakening"
    (move,) = api("GET", "models/owl/transitions/").json()["results"]
    assert (move["event"], move["cause"]) == ("request", "ada@example.org")


def test_sleeping_is_safe_to_repeat(api, member):
    make_model(member.team, subdomain="owl")
    api("POST", "models/owl/wake/")

    answers = [api("POST", "models/owl/sleep/").json()["state"] for _ in range(2)]

    assert answers == ["asleep", "asleep"]


def test_a_failed_model_says_why(api, member):
    model = make_model(member.team, subdomain="owl").model
    now = timezone.now()
    machine.apply(model, Event.REQUEST, now=now, cause="test")
    machine.apply(model, Event.START_FAILED, now=now, cause="test", failure_reason="No such image.")

    answer = api("GET", "models/owl/").json()

    assert answer["state"] == "failed"
    assert answer["failure"]["reason"] == "No such image."


def test_a_replica_that_failed_keeps_its_last_words(api, member):
    model = make_model(member.team, subdomain="owl").model
    assert model.revision is not None
    Replica.objects.create(
        model=model, revision=model.revision, runtime="docker", exit_code=3, last_log_lines="Ouch."
    )

    (replica,) = api("GET", "models/owl/replicas/").json()["results"]

    assert (replica["exit_code"], replica["last_log_lines"]) == (3, "Ouch.")
    assert replica["revision"] == 1


def test_the_build_of_a_catalogue_image_can_be_watched(api):
    body = {"subdomain": "owl", "revision": {"image": "catalogue:echo"}}
    api("POST", "models/", body)
    Build.objects.update_or_create(
        slug="echo",
        fingerprint=catalogue.recipe(catalogue.find("echo")).fingerprint,
        runtime="docker",
        defaults={"status": "running", "step": 2, "steps": 3},
    )

    build = api("GET", "models/owl/").json()["build"]

    assert (build["status"], build["step"], build["steps"]) == ("running", 2, 3)


def test_a_deleted_model_is_gone_at_once(api, member):
    make_model(member.team, subdomain="owl")

    answers = [api("DELETE", "models/owl/").status_code for _ in range(2)]

    assert answers == [204, 404]
    assert api("GET", "models/").json()["results"] == []


def test_revisions_are_numbered_and_the_newest_is_current(api, member):
    make_model(member.team, subdomain="owl")

    deployed = api("POST", "models/owl/revisions/", REVISION | {"image": "example.org/echo:2"})

    assert deployed.json()["number"] == 2
    assert api("GET", "models/owl/").json()["revision"]["image"] == "example.org/echo:2"
    listed = api("GET", "models/owl/revisions/").json()["results"]
    assert [each["number"] for each in listed] == [2, 1]


def test_a_viewer_does_not_see_the_values_of_the_environment(api, client, member):
    body = {"subdomain": "owl", "revision": REVISION | {"environment": {"KEY": "hunter2"}}}
    api("POST", "models/", body)
    viewer = make_key(make_member(team=member.team, role="viewer"))[1]

    seen = send(client, "GET", "/api/v1/models/owl/", key=viewer)

    assert seen.json()["revision"]["environment"] == {"KEY": "…"}
    assert api("GET", "models/owl/").json()["revision"]["environment"] == {"KEY": "hunter2"}


def test_pages_follow_one_another_by_name(api, member):
    for name in ("cat", "owl", "bee"):
        make_model(member.team, subdomain=name)

    first = api("GET", "models/?page_size=2").json()
    second = api("GET", first["next"].partition("/api/v1/")[2]).json()

    names = [each["subdomain"] for each in first["results"] + second["results"]]
    assert names == ["bee", "cat", "owl"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("public=true", ["owl"]),
        ("public=false", ["cat"]),
        ("active=false", []),
        ("state=asleep", ["cat", "owl"]),
        ("state=awake", []),
        ("search=OW", ["owl"]),
        ("search=purrs", ["cat"]),
        ("search=asleep&public=true", []),
        ("search=%25", []),
    ],
)
def test_the_list_can_be_narrowed(api, member, query, found):
    make_model(member.team, subdomain="owl", public=True)
    make_model(member.team, subdomain="cat", description="Purrs.")

    answer = api("GET", f"models/?{query}")

    assert [each["subdomain"] for each in answer.json()["results"]] == found


@pytest.mark.parametrize("query", ["public=maybe", "state=drunk", "active=1"])
def test_a_filter_that_means_nothing_is_refused_not_ignored(api, query):
    answer = api("GET", f"models/?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_the_list_costs_as_many_queries_for_ten_models_as_for_one(api, member, connection):
    make_model(member.team, created_by=member.user)
    api("GET", "models/")  # the key's last use is written once
    with CaptureQueriesContext(connection) as one:
        api("GET", "models/")
    for _ in range(9):
        make_model(member.team, created_by=member.user)

    with CaptureQueriesContext(connection) as ten:
        api("GET", "models/")

    assert len(ten) == len(one)


@pytest.fixture
def connection(db: None):
    from django.db import connection

    return connection


def test_usage_has_totals_and_a_series_without_gaps(api, member):
    model = make_model(member.team, subdomain="owl").model
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(hours=2)
    UsageMinute.objects.create(
        model_id=model.pk,
        team_id=member.team_id,
        minute=minute,
        requests=7,
        errors=2,
        cold=0,
        model_ms=0,
        held_ms=0,
    )

    usage = api("GET", "models/owl/usage/?bucket=hour").json()
    team = api("GET", "usage/").json()

    assert (usage["requests"], usage["errors"]) == (7, 2)
    assert sum(each["requests"] for each in usage["series"]) == 7
    assert len(usage["series"]) in (24, 25)
    assert team["models"] == [{"subdomain": "owl", "requests": 7, "errors": 2}]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("bucket=fortnight", "bucket"),
        ("since=yesterday", "since"),
        ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "since"),
        ("since=2020-01-01T00:00:00Z&bucket=minute", "bucket"),
        ("until=0001-01-01T00:00:00Z", "until"),
    ],
)
def test_a_window_that_can_not_be_is_refused(api, member, query, field):
    make_model(member.team, subdomain="owl")

    answer = api("GET", f"models/owl/usage/?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("name", "status"),
    [("owl", "taken"), ("cat", "free"), ("admin", "reserved"), ("A b", "malformed")],
)
def test_a_name_is_checked_and_others_suggested(api, name, status):
    make_model(make_member().team, subdomain="owl")

    answer = api("GET", f"subdomains/check/?name={name}").json()

    assert answer["status"] == status
    assert len(answer["suggestions"]) == (0 if status == "free" else 3)
