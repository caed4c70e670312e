"""Every operation of the admin API, one row each: what to send and what a success answers.

The tenancy matrix and the schema tests run over this table; a route without a row fails them.
"""

import json
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import reverse

LOGIN = {"username": "ada", "password": "hush hush"}
MODEL = {"image": "example.org/echo:2", "protocol": "http"}
# Not a team's: anyone may look.
OPEN_TO_ALL = {"schema", "docs", "unknown"}


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    url_name: str
    method: str = "GET"
    answers: int = 200
    body: dict[str, Any] | None = None
    query: str = ""
    least: str = "member"  # the least who may write: member, owner; operator: who may look, too

    @property
    def writes(self) -> bool:
        """Whether a viewer is refused."""
        return self.method != "GET"

    def allows(self, who: str) -> bool:
        """Whether a viewer, member, owner or operator may do this with what is their own."""
        ranks = ("viewer", "member", "owner", "operator")
        least = self.least if self.writes or self.least == "operator" else "viewer"
        return ranks.index(who) >= ranks.index(least)

    def __str__(self) -> str:
        return f"{self.method} {self.url_name}"


OPERATIONS = [
    Operation("me"),
    Operation("team", "PATCH", 200, {"name": "Night shift"}, least="owner"),
    Operation("check-subdomain", query="?name=free-name"),
    Operation("models"),
    Operation("models", "POST", 201, {"subdomain": "brand-new", "revision": MODEL}),
    Operation("model"),
    Operation("model", "PATCH", 200, {"public": True, "description": "Tells tales."}),
    Operation("model", "DELETE", 204),
    Operation("wake", "POST", 202),
    Operation("sleep", "POST", 202),
    Operation("activate", "POST"),
    Operation("deactivate", "POST"),
    Operation("replicas"),
    Operation("logs", query="?stream=stderr"),
    Operation("logs-tail", query="?after=0"),
    Operation("transitions"),
    Operation("revisions"),
    Operation("revisions", "POST", 201, MODEL),
    Operation("rollback", "POST", 200, {"number": 1}),
    Operation("decisions"),
    Operation("canary", "PUT", 200, {"number": 2, "share": 10}),
    Operation("canary", "DELETE", 204),
    Operation("promote-canary", "POST"),
    Operation("golden-requests"),
    Operation(
        "golden-requests", "POST", 201, {"name": "answers", "input": {"a": 1}, "expected_keys": []}
    ),
    Operation("golden-request", "DELETE", 204),
    Operation("tokens"),
    Operation("tokens", "POST", 201, {"label": "website"}),
    Operation(
        "token", "PATCH", 200, {"label": "shop", "rate_limit": "60/minute", "may_wake": False}
    ),
    Operation("token", "DELETE", 204),
    Operation("secrets"),
    Operation("secret", "PUT", 200, {"value": "hush hush", "kind": "variable"}),
    Operation("secret", "DELETE", 204),
    Operation("wakes"),
    Operation("wake-times"),
    Operation("sleep-simulation", query="?days=7"),
    Operation("model-usage", query="?bucket=hour"),
    Operation("usage"),
    Operation("unconfirmed"),
    Operation("capacity"),
    Operation("registry-logins"),
    Operation("registry-login", "PUT", 200, LOGIN, least="owner"),
    Operation("registry-login", "DELETE", 204, least="owner"),
    Operation("installation-logins", least="operator"),
    Operation("installation-login", "PUT", 200, LOGIN, least="operator"),
    Operation("installation-login", "DELETE", 204, least="operator"),
    Operation("installation-teams", least="operator"),
    Operation("team-limit", least="operator"),
    Operation("team-limit", "PUT", 200, {"memory_mb": 4096, "cpus": 2.5}, least="operator"),
    Operation("team-limit", "DELETE", 204, least="operator"),
    Operation("model-statistics", query="?by=token"),
    Operation("billing"),
    Operation("budgets", "PUT", 200, {"amount": "100.00", "stop": True}),
    Operation("budget", "DELETE", 204),
    Operation("credits"),
    Operation("credits", "POST", 201, {"amount": "25.00"}),
    Operation("purchase"),
    Operation("billing-profile"),
    Operation("billing-profile", "PATCH", 200, {"prepaid": True, "stop_at_zero": True}),
    Operation("usage-export", query="?kind=jsonl"),
    Operation("invoices"),
    Operation("invoice"),
    Operation("invoice-document", query="?kind=csv"),
    Operation("invoice-line"),
    Operation("catalogue"),
    Operation("catalogue-entry"),
    Operation("api-keys"),
    Operation("api-keys", "POST", 201, {"name": "deploy script"}),
    Operation("api-key", "DELETE", 204),
]


def call(client: Client, operation: Operation, *, key: str | None = None, **address: Any) -> Any:
    """Send one operation to the address made of these parts."""
    path = reverse(f"api:{operation.url_name}", kwargs=address) + operation.query
    return send(client, operation.method, path, operation.body, key=key)


def send(
    client: Client, method: str, path: str, body: Any = None, *, key: str | None = None
) -> Any:
    """Send JSON with an API key."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if body is None:
        return client.generic(method, path, headers=headers)
    return client.generic(
        method, path, json.dumps(body), content_type="application/json", headers=headers
    )
