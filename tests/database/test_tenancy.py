"""Every operation × who calls × whose things: what a team owns doesn't exist for anyone else."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.urls import URLPattern
from django.utils import timezone

from accounts import operations as accounts
from accounts.models import ApiKey, Membership, Role
from hosting.api.request_ids import HEADER
from hosting.api.urls import urlpatterns
from hosting.billing.models import Budget
from hosting.lifecycle import operations
from hosting.models import EndpointToken, HostedModel
from tests.api_operations import OPEN_TO_ALL, OPERATIONS, Operation, call, send
from tests.factories import (
    make_budget,
    make_canary,
    make_golden_request,
    make_invoice,
    make_key,
    make_login,
    make_member,
    make_model,
    make_operator,
    make_purchase,
    make_secret,
)

MALFORMED_NAMES = ["UPPER", "a\0b", "ünïcödé", "x" * 300, "..", "a'b", "%", "-1"]
MALFORMED_IDS = ["0", "-1", "x", "9" * 18, "9" * 40, "٣", "1\0", "1.0", "NaN"]
NEVER = "999999999"


@dataclass
class Stage:
    """Two teams with the same kind of things, and everyone who might call."""

    address: dict[str, dict[str, str]]  # whose -> the parts of an address
    keys: dict[str, str]  # who -> secret
    foreign: Membership

    def parts(self, operation: Operation, whose: str = "own") -> dict[str, str]:
        """The parts this operation's address has."""
        return {name: self.address[whose][name] for name in parts_of(operation.url_name)}


@pytest.fixture
def stage(db: None, made: Stage) -> Stage:
    """What was made once, as it was made; and nobody has asked anything this minute."""
    cache.clear()
    return made


@pytest.fixture(scope="module")
def made(shared_rows: None) -> Stage:
    now = timezone.now()
    owner, foreign = make_member(), make_member(email="stranger@elsewhere.org")
    own, theirs = (
        make_model(owner.team, subdomain="own-model"),
        make_model(foreign.team, subdomain="their-model"),
    )
    gone = make_model(owner.team, subdomain="gone-model")
    for created in (own, theirs, gone):
        make_canary(created.model)
    operations.delete_model(gone.model, cause="test", now=now)
    own_key, own_secret = make_key(owner)
    their_key, their_secret = make_key(foreign)
    revoked_key, revoked_secret = make_key(owner)
    accounts.revoke_api_key(revoked_key, now=now)
    former = make_member(team=owner.team)
    _, former_secret = make_key(former)
    former.delete()
    viewer = make_member(team=owner.team, role=Role.VIEWER)
    return Stage(
        address={
            "own": _address(own.model, own.token, own_key),
            "foreign": _address(theirs.model, theirs.token, their_key),
            "deleted": _address(gone.model, gone.token, revoked_key),
        },
        keys={
            "operator": make_key(make_operator(team=owner.team))[1],
            "owner": own_secret,
            "member": make_key(make_member(team=owner.team, role=Role.MEMBER))[1],
            "viewer": make_key(viewer)[1],
            "other team": their_secret,
            "revoked key": revoked_secret,
            "expired key": make_key(owner, expires_at=now - timedelta(seconds=1))[1],
            "former member": former_secret,
            "endpoint token": own.secret or "",
        },
        foreign=foreign,
    )


def _address(model: HostedModel, token: EndpointToken | None, key: ApiKey) -> dict[str, str]:
    assert token is not None
    budget = Budget.objects.filter(team=model.team).first() or make_budget(model.team)
    return {
        "subdomain": model.subdomain,
        "token_id": str(token.pk),
        "key_id": str(key.pk),
        "golden_id": str(make_golden_request(model).pk),
        "slug": "echo",
        "budget_id": str(budget.pk),
        "host": make_login(model.team),
        "team_id": str(model.team_id),
        "number": make_invoice(model.team, model).number if model.deleted_at is None else NEVER,
        "position": "1",
        "secret_name": make_secret(model),
        "purchase": str(make_purchase(model.team).key) if model.deleted_at is None else NEVER,
    }


def parts_of(url_name: str) -> list[str]:
    (pattern,) = (each for each in urlpatterns if each.name == url_name)
    assert isinstance(pattern, URLPattern)
    return list(pattern.pattern.converters)


def every(*, having: str = "") -> Any:
    """Parametrize over the table; `having`: operations with this part in their address only."""
    rows = [row for row in OPERATIONS if not having or having in parts_of(row.url_name)]
    return pytest.mark.parametrize("operation", rows, ids=str)


def test_every_route_has_a_row():
    routes = {
        (pattern.name, method.upper())
        for pattern in urlpatterns
        if isinstance(pattern, URLPattern) and pattern.name not in OPEN_TO_ALL
        for method in set(pattern.callback.actions) - {"head"}
    }

    assert routes == {(row.url_name, row.method) for row in OPERATIONS}


@every()
@pytest.mark.parametrize("who", ["viewer", "member", "owner", "operator"])
def test_everyone_does_with_their_own_what_their_role_allows(stage, client, operation, who):
    answer = call(client, operation, key=stage.keys[who], **stage.parts(operation))

    allowed = operation.allows(who)
    assert answer.status_code == (operation.answers if allowed else 403), answer.content


@every()
@pytest.mark.parametrize(
    "who", ["nobody", "revoked key", "expired key", "former member", "endpoint token"]
)
def test_without_a_valid_key_nothing_is_said(stage, client, operation, who):
    answer = call(client, operation, key=stage.keys.get(who), **stage.parts(operation))

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"
    assert b"own-model" not in answer.content


@every(having="subdomain")
@pytest.mark.parametrize("whose", ["foreign", "deleted"])
def test_a_model_that_is_not_yours_is_one_that_never_was(stage, client, operation, whose):
    key, parts = stage.keys["owner"], stage.parts(operation, whose)
    never = call(client, operation, key=key, **(parts | {"subdomain": "never-was"}))

    answer = call(client, operation, key=key, **parts)

    assert answer.status_code == 404
    assert seen(answer) == seen(never)


@every(having="subdomain")
@pytest.mark.parametrize("name", MALFORMED_NAMES)
def test_what_can_not_be_a_name_is_one_that_never_was(stage, client, operation, name):
    key, parts = stage.keys["owner"], stage.parts(operation)
    never = call(client, operation, key=key, **(parts | {"subdomain": "never-was"}))

    answer = call(client, operation, key=key, **(parts | {"subdomain": name}))

    assert seen(answer) == seen(never)


@every(having="number")
@pytest.mark.parametrize("number", ["foreign", *MALFORMED_NAMES])
def test_an_invoice_that_is_not_yours_is_one_that_never_was(stage, client, operation, number):
    key, parts = stage.keys["owner"], stage.parts(operation)
    never = call(client, operation, key=key, **(parts | {"number": NEVER}))
    wanted = stage.address["foreign"]["number"] if number == "foreign" else number

    answer = call(client, operation, key=key, **(parts | {"number": wanted}))

    assert answer.status_code == 404
    assert seen(answer) == seen(never)


@pytest.mark.parametrize("budget", ["foreign", *MALFORMED_IDS])
def test_a_budget_that_is_not_yours_is_one_that_never_was(stage, client, budget):
    (operation,) = (row for row in OPERATIONS if "budget_id" in parts_of(row.url_name))
    key = stage.keys["owner"]
    never = call(client, operation, key=key, budget_id=NEVER)
    wanted = stage.address["foreign"]["budget_id"] if budget == "foreign" else budget

    answer = call(client, operation, key=key, budget_id=wanted)

    assert answer.status_code == 404
    assert seen(answer) == seen(never)


WITH_ID = [
    (row, part)
    for row in OPERATIONS
    for part in ("token_id", "key_id", "golden_id")
    if part in parts_of(row.url_name)
]


@pytest.mark.parametrize(("operation", "part"), WITH_ID, ids=str)
@pytest.mark.parametrize("whose", ["foreign", "deleted"])
def test_what_a_model_owns_that_is_not_yours_is_one_that_never_was(
    stage, client, operation, part, whose
):
    key, parts = stage.keys["owner"], stage.parts(operation)
    never = call(client, operation, key=key, **(parts | {part: NEVER}))

    answer = call(client, operation, key=key, **(parts | {part: stage.address[whose][part]}))

    assert answer.status_code == 404
    assert seen(answer) == seen(never)


@pytest.mark.parametrize(("operation", "part"), WITH_ID, ids=str)
@pytest.mark.parametrize("value", MALFORMED_IDS)
def test_what_can_not_be_an_id_is_one_that_never_was(stage, client, operation, part, value):
    key, parts = stage.keys["owner"], stage.parts(operation)
    never = call(client, operation, key=key, **(parts | {part: NEVER}))

    answer = call(client, operation, key=key, **(parts | {part: value}))

    assert seen(answer) == seen(never)


@every()
def test_no_answer_names_what_another_team_owns(stage, client, operation):
    answer = call(client, operation, key=stage.keys["owner"], **stage.parts(operation))

    said = b"".join(answer)  # some are streams
    assert b"their-model" not in said
    assert b"elsewhere.org" not in said


@every()
@pytest.mark.parametrize("team", ["own", NEVER, "x", "٣", ""])
def test_a_session_can_not_pick_a_team_it_is_not_in(stage, client, operation, team):
    own_team = HostedModel.objects.get(subdomain="own-model").team_id
    client.force_login(stage.foreign.user)
    client.defaults["HTTP_X_DORMOUSE_TEAM"] = str(own_team) if team == "own" else team

    answer = call(client, operation, **stage.parts(operation))

    assert answer.status_code == 403
    assert answer.json()["code"] == "not_a_member"


def test_a_key_speaks_for_its_own_team_whatever_the_header_says(stage, client):
    client.defaults["HTTP_X_DORMOUSE_TEAM"] = str(stage.foreign.team_id)

    answer = send(client, "GET", "/api/v1/models/", key=stage.keys["owner"])

    assert [each["subdomain"] for each in answer.json()["results"]] == ["own-model"]


def test_a_team_in_the_body_is_ignored(stage, client):
    body = {
        "subdomain": "brand-new",
        "revision": {"image": "example.org/echo:1", "protocol": "http"},
        "team": stage.foreign.team_id,
        "team_id": stage.foreign.team_id,
    }

    send(client, "POST", "/api/v1/models/", body, key=stage.keys["owner"])

    assert HostedModel.objects.get(subdomain="brand-new").team_id != stage.foreign.team_id


def test_another_team_s_cursor_opens_nothing(stage, client):
    for number in range(3):
        make_model(stage.foreign.team, subdomain=f"their-model-{number}")
    page = send(client, "GET", "/api/v1/models/?page_size=1", key=stage.keys["other team"]).json()

    answer = send(client, "GET", page["next"], key=stage.keys["owner"])

    assert b"their-model" not in answer.content


@pytest.mark.parametrize("query", ["search=their", "search=model", "state=asleep", "active=true"])
def test_filters_stay_within_the_team(stage, client, query):
    answer = send(client, "GET", f"/api/v1/models/?{query}", key=stage.keys["owner"])

    assert b"their-model" not in answer.content


def seen(answer: Any) -> tuple[int, bytes, dict[str, str]]:
    """All a caller can see of an answer, but for the number that only this request has."""
    headers = dict(answer.headers)
    number = headers.pop(HEADER).encode()
    return answer.status_code, answer.content.replace(number, b"the number"), headers
