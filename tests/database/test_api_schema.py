"""Every operation answers as the OpenAPI description says, whatever is sent."""

import copy
import functools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from tests.api_operations import LOGIN, OPERATIONS, Operation, call, send
from tests.factories import (
    make_budget,
    make_canary,
    make_golden_request,
    make_invoice,
    make_key,
    make_login,
    make_model,
    make_operator,
    make_purchase,
    make_secret,
)

WITH_BODY = [row for row in OPERATIONS if row.body]
WITH_QUERY = ["models", "model-usage", "usage", "check-subdomain", "tokens", "api-keys"]
WITH_QUERY += [
    "logs",
    "logs-tail",
    "golden-requests",
    "revisions",
    "model-statistics",
    "invoice-line",
]
WITH_QUERY += ["usage-export", "invoice-document"]
WITH_QUERY += ["sleep-simulation", "wakes", "decisions"]
WITH_QUERY += ["registry-logins", "installation-logins", "installation-teams"]
NASTY: list[Any] = [
    None,
    "",
    " ",
    "x" * 5_000,
    "a\0b",
    "\ud800",
    "1\n2",
    "../..",
    "catalogue:nothing",
    "catalogue:",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    0,
    -1,
    2**31,
    2**63,
    10**400,
    1e308,
    True,
    [],
    [None, 1, {"a": ["b"]}],
    {},
    {"": "", "A": None},
    {"a\0b": {"c": "\0"}},
]
NASTY_QUERIES = ["", "%00", "%ff", "x", "-1", "9" * 400, "cj0x", "cD1hAA==", "cD0lMDA=", "NaN"]


@functools.cache
def description() -> dict[str, Any]:
    """The OpenAPI document."""
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-any-return]


def described(operation: Operation) -> tuple[str, dict[str, Any]]:
    """The described path and responses of an operation."""
    found = [
        (path, methods[operation.method.lower()])
        for path, methods in description()["paths"].items()
        if operation.method.lower() in methods and _fits(path, operation)
    ]
    ((path, about),) = found
    return path, about


def _fits(path: str, operation: Operation) -> bool:
    parts = {name: name for name in re.findall(r"{(\w+)}", path)}
    try:
        return reverse(f"api:{operation.url_name}", kwargs=parts) == path.replace("{", "").replace(
            "}", ""
        )
    except Exception:
        return False


def assert_as_described(operation: Operation, answer: Any) -> None:
    _, about = described(operation)
    assert str(answer.status_code) in about["responses"], answer.content
    content = about["responses"][str(answer.status_code)].get("content")
    if content is None:
        assert answer.content == b""
        return
    media_type = answer["Content-Type"].partition(";")[0]
    assert media_type in content
    if media_type not in ("application/json", "application/problem+json"):
        return  # a file
    schema = {**content[media_type]["schema"], "components": description()["components"]}
    Draft202012Validator(schema).validate(answer.json())


@pytest.fixture
def key(db: None, made: tuple[str, dict[str, str]]) -> str:
    cache.clear()  # of how often the team has asked
    return made[0]


@pytest.fixture
def address(made: tuple[str, dict[str, str]]) -> dict[str, str]:
    return made[1]


@pytest.fixture(scope="module")
def made(shared_rows: None) -> tuple[str, dict[str, str]]:
    """An operator's key, and the parts of the addresses of what the operator's team owns."""
    row, secret = make_key(make_operator())
    created = make_model(row.team, subdomain="own-model")
    assert created.token is not None
    make_canary(created.model)
    return secret, {
        "subdomain": "own-model",
        "token_id": str(created.token.pk),
        "key_id": str(row.pk),
        "golden_id": str(make_golden_request(created.model).pk),
        "slug": "echo",
        "budget_id": str(make_budget(row.team).pk),
        "number": make_invoice(row.team, created.model).number,
        "position": "1",
        "purchase": str(make_purchase(row.team).key),
        "secret_name": make_secret(created.model),
        "host": make_login(row.team),
        "team_id": str(row.team_id),
    }


def parts(operation: Operation, address: dict[str, str]) -> dict[str, str]:
    path, _ = described(operation)
    return {name: value for name, value in address.items() if f"{{{name}}}" in path}


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_success_is_as_described(client, key, address, operation):
    answer = call(client, operation, key=key, **parts(operation, address))

    assert answer.status_code == operation.answers
    assert_as_described(operation, answer)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_refusal_is_as_described(client, key, address, operation):
    answer = call(client, operation, **parts(operation, address))

    assert answer.status_code == 401
    assert_as_described(operation, answer)


def mutations(body: Any) -> Iterator[Any]:
    """The body with each value, in turn, replaced by each nasty one."""
    for name, value in body.items():
        for nasty in NASTY:
            yield {**body, name: copy.deepcopy(nasty)}
        if isinstance(value, dict):
            yield from ({**body, name: inner} for inner in mutations(value))


FULL_REVISION = {
    "image": "example.org/echo:2",
    "protocol": "http",
    "port": 80,
    "health_path": "/",
    "query_path": "/",
    "info_path": "/",
    "command": "x",
    "options": {"a": 1},
    "environment": {"A": "b"},
    "arguments": ["x"],
    "memory_mb": 64,
    "cpus": 1,
    "concurrency": 1,
    "internet": True,
}
FULL_BODIES = {
    "PATCH team": {"name": "Night shift"},
    "POST models": {
        "subdomain": "fuzzed",
        "revision": FULL_REVISION,
        "public": True,
        "description": "x",
        "idle_timeout_seconds": 60,
    },
    "PATCH model": {
        "active": True,
        "public": True,
        "description": "x",
        "idle_timeout_seconds": 60,
        "deep_sleep_after_seconds": 60,
        "min_replicas": 1,
        "max_replicas": 2,
        "auto_rollback": False,
        "request_timeout_seconds": 60,
        "startup_timeout_seconds": 60,
        "rate_limit": "5/second",
        "max_body_mb": 64,
        "wake_routes": ["query"],
        "wake_methods": ["POST"],
        "wake_without_token": False,
        "warm_windows": ["Mon-Fri 08:00-18:00"],
        "time_zone": "Europe/Berlin",
    },
    "POST revisions": {**FULL_REVISION, "canary_share": 10},
    "PUT canary": {"number": 2, "share": 10},
    "POST golden-requests": {
        "name": "x",
        "input": {"a": 1},
        "expected_status": 200,
        "expected_keys": ["a"],
        "expected_output": {"a": 1},
        "timeout_seconds": 5,
    },
    "POST rollback": {"number": 1},
    "POST tokens": {
        "label": "x",
        "expires_at": "2100-01-01T00:00:00Z",
        "rate_limit": "5/second",
        "may_wake": True,
    },
    "PATCH token": {"label": "x", "rate_limit": "5/second", "may_wake": False},
    "PUT budgets": {"amount": "5.00", "stop": True, "model": "own-model", "token_id": 1},
    "PUT secret": {"value": "hush hush", "kind": "variable"},
    "PUT registry-login": LOGIN,
    "PUT installation-login": LOGIN,
    "PUT team-limit": {"memory_mb": 4096, "cpus": 2.5, "gpus": 1},
    "POST credits": {"amount": "25.00"},
    "PATCH billing-profile": {
        "prepaid": True,
        "stop_at_zero": True,
        "billed_to": "x",
        "email": "billing@northlight.example",
    },
    "POST api-keys": {"name": "x", "expires_at": "2100-01-01T00:00:00Z"},
}


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_nasty_values_are_refused_as_described_never_an_error_of_ours(
    client, key, address, operation
):
    path = reverse(f"api:{operation.url_name}", kwargs=parts(operation, address))

    answers = [
        send(client, operation.method, path, body, key=key)
        for body in mutations(FULL_BODIES[str(operation)])
    ]

    assert len(answers) > 20
    for answer in answers:
        assert answer.status_code < 500
        assert_as_described(operation, answer)


@pytest.mark.parametrize("url_name", WITH_QUERY)
@pytest.mark.parametrize("value", NASTY_QUERIES)
def test_nasty_queries_are_refused_as_described(client, key, address, url_name, value):
    (operation,) = (row for row in OPERATIONS if str(row) == f"GET {url_name}")
    path = reverse(f"api:{url_name}", kwargs=parts(operation, address))
    _, about = described(operation)
    names = [each["name"] for each in about["parameters"] if each["in"] == "query"]

    for name in names:
        assert_as_described(operation, send(client, "GET", f"{path}?{name}={value}", key=key))


def test_the_description_and_its_page_are_open_to_all(client, db):
    schema, page = client.get("/api/v1/schema/"), client.get("/api/v1/docs/")

    assert schema.status_code == page.status_code == 200
    assert b"<script>" not in page.content  # our policy forbids inline scripts


def test_every_operation_has_a_name_and_a_summary():
    about = [each for path in description()["paths"].values() for each in path.values()]

    assert all(each["summary"] and each["description"] for each in about)
    assert len({each["operationId"] for each in about}) == len(about) == len(OPERATIONS)
