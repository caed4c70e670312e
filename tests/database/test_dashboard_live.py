"""The stream that tells a page to look again."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from django.conf import settings
from django.test import AsyncClient, Client
from django.utils import timezone

from accounts.models import Membership
from dashboard.views import live
from hosting import wire
from hosting.models import UsageMinute
from tests.factories import make_member


@pytest.fixture
def owner(transactional_db: None, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Membership:
    monkeypatch.setattr(settings, "REDIS_URL", redis_url)
    return make_member()


def heard(team_id: int, *, after: Callable[[], Any], events: int) -> list[tuple[str, Any]]:
    """What the stream says once `after` has happened: (event, data)."""

    async def listen() -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        stream = live.events(team_id)
        async for text in stream:
            if "event: hello" in text:
                await asyncio.to_thread(after)
            elif text.startswith("event: "):
                name, data = text.strip().removeprefix("event: ").split("\ndata: ")
                found.append((name, json.loads(data)))
            if len(found) == events:
                break
        await stream.aclose()  # type: ignore[attr-defined]
        return found

    return async_to_sync(listen)()


def route(team_id: int, subdomain: str, **fields: Any) -> str:
    return wire.Route(1, subdomain, 2, team_id=team_id, **fields).to_json()


def test_a_team_hears_of_its_own_models_and_of_no_others(owner: Membership, redis_client):
    def publish() -> None:
        redis_client.publish(wire.ROUTES_CHANNEL, route(owner.team_id + 1, "foreign"))
        redis_client.publish(wire.ROUTES_CHANNEL, route(owner.team_id, "owl", state="awake"))

    assert heard(owner.team_id, after=publish, events=1) == [
        ("model", {"subdomain": "owl", "state": "awake"})
    ]


def test_a_team_hears_of_new_log_lines_of_its_own_models(owner: Membership, redis_client):
    def publish() -> None:
        for team_id, name in ((owner.team_id + 1, "foreign"), (owner.team_id, "owl")):
            hint = {"team_id": team_id, "subdomain": name}
            redis_client.publish(wire.LOGS_CHANNEL, json.dumps(hint))

    assert heard(owner.team_id, after=publish, events=1) == [("log", {"subdomain": "owl"})]


def test_a_removed_model_is_said_to_be_removed(owner: Membership, redis_client):
    def publish() -> None:
        redis_client.publish(wire.ROUTES_CHANNEL, route(owner.team_id, "owl", removed=True))

    assert heard(owner.team_id, after=publish, events=1)[0][1]["state"] == "removed"


def test_new_usage_is_heard_of(owner: Membership, redis_client, monkeypatch):
    monkeypatch.setattr(live, "USAGE_SECONDS", 0.01)
    stored = UsageMinute(
        model_id=1,
        team_id=owner.team_id,
        minute=timezone.now(),
        requests=3,
        errors=0,
        cold=0,
        model_ms=1,
        held_ms=0,
    )

    async def listen() -> str:
        stream = live.events(owner.team_id)
        await anext(stream)
        await stored.asave()
        said = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        return said

    assert '"requests": 3' in async_to_sync(listen)()


def test_a_quiet_stream_still_beats(owner: Membership, redis_client, monkeypatch):
    monkeypatch.setattr(live, "USAGE_SECONDS", 0.01)
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.0)

    async def listen() -> str:
        stream = live.events(owner.team_id)
        await anext(stream)
        said = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        return said

    assert async_to_sync(listen)().startswith(": ")


def test_a_lost_redis_ends_the_stream_instead_of_breaking_it(owner: Membership, monkeypatch):
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")

    async def listen() -> list[str]:
        return [text async for text in live.events(owner.team_id)]

    assert async_to_sync(listen)() == []


def test_a_stream_ends_by_itself_so_that_rights_are_looked_at_again(
    owner: Membership, redis_client: "redis.Redis", monkeypatch
):
    monkeypatch.setattr(live, "LONGEST_SECONDS", 0.0)

    async def listen() -> list[str]:
        return [text async for text in live.events(owner.team_id)]

    assert len(async_to_sync(listen)()) == 1  # the hello


def test_a_stranger_is_told_not_to_try_again(client: Client, owner: Membership):
    assert client.get("/live/").status_code == 204


def test_a_member_gets_an_event_stream(owner: Membership):
    async def ask() -> tuple[int, str]:
        browser = AsyncClient()
        await browser.aforce_login(owner.user)
        answer = await browser.get("/live/")
        return answer.status_code, answer["Content-Type"]

    status, kind = async_to_sync(ask)()
    assert status == 200
    assert kind.startswith("text/event-stream")
