"""Rows and tools for tests that need the database."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from accounts.models import Team
from hosting import route_table, wire
from hosting.lifecycle import operations
from hosting.lifecycle.tools import Tools
from hosting.metering import ledger
from hosting.models import HostedModel
from tests.fakes import FakeClock, FakeProbe, FakeRuntime

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def shared_rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The database for rows that all tests of a file begin with; they go when the file is done.

    The `db` of a test is then a savepoint inside, so what a test does to these rows ends with it.
    Not for files with transactional tests.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def runtime() -> FakeRuntime:
    return FakeRuntime()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def probe() -> FakeProbe:
    return FakeProbe()


@pytest.fixture
def tools(runtime: FakeRuntime, probe: FakeProbe, clock: FakeClock) -> Tools:
    return Tools(runtime=runtime, probe=probe, clock=clock)


@pytest.fixture
def team(db: None) -> Team:
    return Team.objects.create(name="Northlight")


@pytest.fixture
def host_model(team: Team) -> Callable[..., HostedModel]:
    """Create a sleeping model; keywords go to create_model or, failing that, to its revision."""

    def create(**fields: Any) -> HostedModel:
        of_model = {"subdomain", "public", "description", "idle_timeout_seconds"}
        chosen = {"image": "example.org/echo:1", "protocol": "http"} | {
            name: value for name, value in fields.items() if name not in of_model
        }
        given = {"subdomain": f"echo-{next(_numbers)}"} | {
            name: value for name, value in fields.items() if name in of_model
        }
        revision = operations.RevisionSpec(**chosen)
        model = operations.create_model(team, revision=revision, **given).model
        HostedModel.objects.filter(pk=model.pk).update(state_changed_at=NOON, created_at=NOON)
        model.refresh_from_db()
        return model

    return create


@pytest.fixture
def model(host_model: Callable[..., HostedModel]) -> HostedModel:
    return host_model()


@pytest.fixture
def routes(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty route table in a Redis of this test's own."""
    monkeypatch.setattr(settings, "REDIS_URL", redis_url)
    route_table.connection.cache_clear()


@pytest.fixture
def say() -> Callable[..., None]:
    """Say as a router what is in flight to a model."""

    def report(model: HostedModel, *, router: str = "r1", at: datetime = NOON, **said: Any) -> None:
        text = wire.Report(
            generation=said.pop("generation", model.generation),
            in_flight=said.pop("in_flight", 0),
            idle_seconds=said.pop("idle", 0.0),
            released=said.pop("released", False),
            **said,
        ).to_json()
        connection = route_table.connection()
        connection.zadd(wire.ROUTERS_KEY, {router: at.timestamp()})
        connection.hset(
            wire.reports_key(router), mapping={"at": at.timestamp(), str(model.pk): text}
        )

    return report


@pytest.fixture
def usage_event() -> Callable[..., wire.UsageEvent]:
    """Put one counted request of a model into the ledger."""

    def put(model: HostedModel, *, at: datetime = NOON, **fields: Any) -> wire.UsageEvent:
        event = make_event(model, at=at, **fields)
        ledger.record([event])
        return event

    return put


def make_event(model: HostedModel, *, at: datetime = NOON, **fields: Any) -> wire.UsageEvent:
    """A counted request of the model, answered with 200 unless `fields` say otherwise."""
    event = wire.UsageEvent(
        id=str(uuid.uuid4()),
        model_id=model.pk,
        team_id=model.team_id,
        revision_id=model.revision_id or 0,
        token_id=0,
        route="query",
        method="POST",
        status=200,
        outcome=wire.Outcome.OK,
        counted=True,
        cold=False,
        arrived_at=at.timestamp(),
        held_ms=0,
        model_ms=12,
        bytes_in=20,
        bytes_out=40,
    )
    return replace(event, **fields)
