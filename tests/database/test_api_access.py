"""Keys, sessions, refusals and limits of the admin API."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, Membership
from hosting import queries
from tests.api_operations import send
from tests.factories import make_key, make_member, make_model


@pytest.fixture
def member(db: None) -> Membership:
    return make_member(email="ada@example.org")


@pytest.fixture
def key(member: Membership) -> str:
    return make_key(member)[1]


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic YTpi",
        "dmk_abc",
        "Bearer dmk_" + "a" * 36,
        "Bearer é",
    ],
)
def test_whatever_is_not_a_valid_key_is_401(client, db, header):
    answer = client.get("/api/v1/me/", headers={"authorization": header})

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"


def test_an_endpoint_token_is_told_from_an_api_key(client, member):
    secret = make_model(member.team).secret

    answer = send(client, "GET", "/api/v1/me/", key=secret)

    assert answer.status_code == 401
    assert "dmk_" in answer.json()["detail"]


def test_a_key_of_a_person_who_was_locked_out_is_401(client, member, key):
    member.user.is_active = False
    member.user.save(update_fields=["is_active"])

    assert send(client, "GET", "/api/v1/me/", key=key).status_code == 401


def test_who_am_i(client, member, key):
    answer = send(client, "GET", "/api/v1/me/", key=key).json()

    team = {"id": member.team_id, "name": member.team.name, "role": "owner"}
    assert answer == {"email": "ada@example.org", "name": "ada", "team": team, "teams": [team]}


def test_the_last_use_of_a_key_is_remembered_at_most_once_a_minute(client, key):
    send(client, "GET", "/api/v1/me/", key=key)
    first = ApiKey.objects.get().last_used_at
    send(client, "GET", "/api/v1/me/", key=key)

    assert first is not None
    assert ApiKey.objects.get().last_used_at == first


def test_an_issued_key_works_until_it_is_revoked(client, key):
    issued = send(client, "POST", "/api/v1/api-keys/", {"name": "robot"}, key=key).json()

    before = send(client, "GET", "/api/v1/me/", key=issued["secret"])
    send(client, "DELETE", f"/api/v1/api-keys/{issued['id']}/", key=key)
    after = send(client, "GET", "/api/v1/me/", key=issued["secret"])

    assert (before.status_code, after.status_code) == (200, 401)


@pytest.mark.parametrize("path", ["models/own-model/tokens/", "api-keys/"])
def test_nothing_expires_in_the_past(client, member, key, path):
    make_model(member.team, subdomain="own-model")
    past = (timezone.now() - timedelta(seconds=1)).isoformat()

    answer = send(
        client, "POST", f"/api/v1/{path}", {"label": "x", "name": "x", "expires_at": past}, key=key
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0] == {
        "code": "past",
        "detail": "Choose a time in the future.",
        "field": "expires_at",
    }


def test_a_revoked_token_is_no_longer_listed(client, member, key):
    created = make_model(member.team, subdomain="own-model")
    assert created.token is not None

    path = f"/api/v1/models/own-model/tokens/{created.token.pk}/"
    answers = [send(client, "DELETE", path, key=key).status_code for _ in range(2)]

    assert answers == [204, 404]
    assert not queries.tokens(created.model)


def test_a_session_reads_with_its_cookie_and_writes_with_a_csrf_token(member):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(member.user)
    body = {"name": "robot"}

    refused = send(browser, "POST", "/api/v1/api-keys/", body)
    browser.cookies[settings.CSRF_COOKIE_NAME] = token = "a" * 32
    browser.defaults["HTTP_X_CSRFTOKEN"] = token
    done = send(browser, "POST", "/api/v1/api-keys/", body)

    assert send(browser, "GET", "/api/v1/me/").status_code == 200
    assert (refused.status_code, done.status_code) == (403, 201)


@pytest.mark.parametrize(
    ("site", "status"),
    [("same-origin", 200), ("none", 200), ("same-site", 401), ("cross-site", 401)],
)
def test_the_page_of_a_hosted_model_can_not_use_the_dashboard_s_session(
    client, member, site, status
):
    client.force_login(member.user)

    answer = client.get("/api/v1/me/", headers={"sec-fetch-site": site})

    assert answer.status_code == status


def test_a_session_speaks_for_the_team_its_header_names(client, member):
    second = Membership.objects.create(team=make_member().team, user=member.user, role="viewer")
    client.force_login(member.user)

    first_team = client.get("/api/v1/me/").json()["team"]["id"]
    headers = {"x-dormouse-team": str(second.team_id)}
    second_team = client.get("/api/v1/me/", headers=headers).json()["team"]

    assert first_team == member.team_id
    assert (second_team["id"], second_team["role"]) == (second.team_id, "viewer")


def test_a_session_follows_the_team_chosen_on_the_dashboard(client, member):
    second = Membership.objects.create(team=make_member().team, user=member.user)
    client.force_login(member.user)
    session = client.session
    session["team_id"] = second.team_id
    session.save()

    assert client.get("/api/v1/me/").json()["team"]["id"] == second.team_id


def test_a_person_without_a_team_is_told_so(client, member):
    client.force_login(member.user)
    member.delete()

    answer = client.get("/api/v1/me/")

    assert answer.status_code == 403
    assert answer.json()["code"] == "not_a_member"


@pytest.mark.parametrize("path", ["nothing/", "models/a/b/", "", "models//"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_address_is_a_problem_too(client, db, path, method):
    answer = send(client, method, f"/api/v1/{path}")

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/query", "/v1/info"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_leaves_out_the_name_of_a_model_is_told_where_models_answer(client, db, path, method):
    answer = send(client, method, path, {"prompt": "a"} if method == "POST" else None)

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "no_model_named"
    assert f"://NAME.{settings.BASE_DOMAIN}" in answer.json()["detail"]
    assert f"{path}." in answer.json()["detail"]


def test_the_last_slash_may_be_missing(client, key):
    read = send(client, "GET", "/api/v1/models", key=key)
    written = send(client, "POST", "/api/v1/api-keys", {"name": "robot"}, key=key)

    assert (read.status_code, written.status_code) == (200, 201)


@pytest.mark.parametrize(
    ("method", "content", "content_type", "status"),
    [
        ("PUT", "{}", "application/json", 405),
        ("POST", "{}", "text/plain", 415),
        ("POST", "a=b", "application/x-www-form-urlencoded", 415),
        ("POST", "{", "application/json", 400),
        ("POST", "", "application/json", 422),
        ("POST", "[]", "application/json", 422),
        ("POST", '{"name": NaN}', "application/json", 400),
        ("POST", '{"name": 1e999}', "application/json", 400),
        ("POST", b"\xff", "application/json", 400),
        ("POST", "[" * 100_000, "application/json", 400),
        ("POST", '{"name": "' + "x" * 1_100_000 + '"}', "application/json", 413),
    ],
)
def test_what_can_not_be_read_is_refused_as_a_problem(
    client, key, method, content, content_type, status
):
    answer = client.generic(
        method,
        "/api/v1/api-keys/",
        content,
        content_type=content_type,
        headers={"authorization": f"Bearer {key}"},
    )

    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_a_bug_is_a_problem_without_details(client, key, monkeypatch):
    def broken(team):
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(queries, "hosted_models", broken)
    client.raise_request_exception = False

    answer = send(client, "GET", "/api/v1/models/", key=key)

    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert b"hunter2" not in answer.content


def test_a_database_that_is_away_is_said_to_be(client, key, monkeypatch):
    def away(team):
        raise OperationalError("connection refused at 10.0.0.7")

    monkeypatch.setattr(queries, "hosted_models", away)
    client.raise_request_exception = False

    answer = send(client, "GET", "/api/v1/models/", key=key)

    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert b"10.0.0.7" not in answer.content


def test_other_origins_get_no_permission(client, key):
    asked = client.options(
        "/api/v1/models/",
        headers={"origin": "https://evil.example", "access-control-request-method": "POST"},
    )
    answered = client.get(
        "/api/v1/models/",
        headers={"origin": "https://evil.example", "authorization": f"Bearer {key}"},
    )

    assert not [name for name in (*asked.headers, *answered.headers) if "Access-Control" in name]


@pytest.fixture
def two_a_minute(monkeypatch):
    cache.clear()
    rates = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {"team": "2/min"}}
    monkeypatch.setattr(settings, "REST_FRAMEWORK", rates)


def test_a_team_that_asks_too_often_is_told_when_to_come_back(client, member, two_a_minute):
    keys = [make_key(member)[1] for _ in range(3)]

    answers = [send(client, "GET", "/api/v1/me/", key=each) for each in keys]

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert 1 <= int(answers[2]["Retry-After"]) <= 60


def test_one_team_s_limit_is_not_another_s(client, member, two_a_minute):
    other = make_key(make_member())[1]
    for _ in range(3):
        send(client, "GET", "/api/v1/me/", key=make_key(member)[1])

    assert send(client, "GET", "/api/v1/me/", key=other).status_code == 200


@pytest.fixture
def no_redis(settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }


def test_without_redis_the_api_goes_on(client, key, no_redis):
    assert send(client, "GET", "/api/v1/me/", key=key).status_code == 200


def test_health_is_ready_with_database_and_redis(client, db):
    assert client.get("/healthz/live").json() == {"status": "ok"}
    assert client.get("/healthz/ready").status_code == 200


def test_health_is_alive_but_not_ready_without_redis(client, db, no_redis):
    assert client.get("/healthz/live").status_code == 200
    assert client.get("/healthz/ready").status_code == 503
    assert client.get("/healthz/ready").json() == {"status": "unavailable"}


def test_who_sends_no_key_is_told_how_to_send_one(client, db):
    assert "Authorization: Bearer dmk_" in client.get("/api/v1/me/").json()["detail"]


def test_what_is_not_said_to_be_json_is_answered_with_the_header_to_send(client, key):
    answer = client.post(
        "/api/v1/models/",
        "subdomain=tales",
        content_type="application/x-www-form-urlencoded",
        headers={"authorization": f"Bearer {key}"},
    )

    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "known"),
    [
        ("GET", "models/?state=sleepy", None, "drowsy"),
        ("POST", "models/", {"image": "catalogue:echo", "protocol": "grpc"}, "cog, http, runway"),
        ("POST", "models/", {"image": "catalogue:nosuch"}, "text-generator"),
    ],
)
def test_who_chose_what_there_is_not_is_told_what_there_is(client, key, method, path, body, known):
    body = body and {"subdomain": "tales", "revision": body}

    answer = send(client, method, f"/api/v1/{path}", body, key=key)

    assert answer.status_code == 422
    assert known in answer.json()["detail"]
