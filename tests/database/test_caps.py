"""Caps from end to end: real routers, the real ledger, and not a request more than was paid for."""

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone

from accounts.models import Team
from hosting import route_table
from hosting.billing import books, budgets, credits, leases, plans
from hosting.billing.models import EntryKind, QuotaCap
from hosting.metering import shipper
from hosting.models import HostedModel, UsageRecord
from hosting.wire import ReplicaAddress
from tests.router.conftest import OwnRedis
from tests.router.harness import ControlPlane, Router, head, running_router, wait_until
from tests.router.model import Model, Seen, answer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


class Plane(ControlPlane):
    """The real control plane's part of leases, beside the harness's of everything else."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.on_leases = self.answer
        self.on_reconcile = lambda kwargs: self.keep_books()  # the only other nudge here
        self.answering = True
        self.spools: list[Path] = []
        self._turn = threading.Lock()

    def answer(self, kwargs) -> None:
        if not self.answering:
            return
        try:
            leases.answer(**kwargs, now=timezone.now())
        finally:
            connections.close_all()

    def keep_books(self) -> None:
        """What the shipper and a worker do, one round of it."""
        with self._turn:
            try:
                for spool in self.spools:
                    shipper.ship_once(spool)
                books.keep(now=timezone.now())
            finally:
                if threading.current_thread() is not threading.main_thread():
                    connections.close_all()

    def serve(self, hosted: HostedModel, server: Model) -> None:
        """Publish what billing says of the model, awake at the given server."""
        hosted.refresh_from_db()
        built = route_table.build(
            HostedModel.objects.select_related("team__standing").get(pk=hosted.pk)
        )
        said = {name: getattr(built, name) for name in _OF_BILLING}
        replica = ReplicaAddress(1, "127.0.0.1", server.port)
        known = self.routes.get(hosted.subdomain)
        newest = known.generation + 1 if known else 1_000  # newer than what the rows publish
        self.publish(
            hosted.subdomain, state="awake", replicas=(replica,), concurrency=0, public=True,
            generation=newest, model_id=hosted.pk, team_id=hosted.team_id, **said,
        )  # fmt: skip


_OF_BILLING = (
    "payment_required",
    "unpaid_tokens",
    "caps",
    "capped_tokens",
    "query_reserve",
    "other_reserve",
)


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def server() -> Iterator[Model]:
    """What answers for the model."""
    server = Model()
    yield server
    server.close()


@pytest.fixture
def plane(own_redis, monkeypatch) -> Iterator[Plane]:
    monkeypatch.setattr(settings, "REDIS_URL", own_redis.url)
    route_table.connection.cache_clear()
    route_table.connection().flushall()
    plane = Plane(own_redis.url)
    yield plane
    plane.close()
    with plane._turn:
        plane.spools.clear()
    route_table.connection.cache_clear()


@pytest.fixture
def router(tmp_path, plane) -> Iterator[Router]:
    with under(plane, tmp_path) as process:
        yield process


@contextmanager
def under(plane: Plane, folder: Path, *options: str) -> Iterator[Router]:
    """A router whose spool the plane ships."""
    folder.mkdir(exist_ok=True)
    with running_router(folder, "--redis", plane.url, *options) as router:
        if router.spool not in plane.spools:
            plane.spools.append(router.spool)
        yield router


def budget(hosted: HostedModel, amount: str) -> None:
    budgets.set_budget(hosted.team, amount=Decimal(amount), stop=True, now=timezone.now())


def ask(router: Router, hosted: HostedModel, times: int = 1) -> Counter[int]:
    """Ask so often on one connection; how often each status came."""
    wire = router.wire()
    found: Counter[int] = Counter()
    request = head("POST", "/v1/query", host=f"{hosted.subdomain}.models.test", body=b"{}")
    for _ in range(times):
        found[wire.send(request).read().status] += 1
    wire.close()
    return found


def settled(plane: Plane) -> bool:
    """Keep the books; whether they have all that routers spent."""
    plane.keep_books()
    return not QuotaCap.objects.get().used


def test_of_five_thousand_at_once_on_two_routers_exactly_the_thousand_that_are_paid_for_are_served(
    tmp_path, plane, server, host_model
):
    hosted = host_model()
    budget(hosted, "10.00")
    with (
        under(plane, tmp_path) as one,
        under(plane, tmp_path / "b", "--router-id", "other") as two,
        ThreadPoolExecutor(100) as callers,
    ):
        plane.serve(hosted, server)
        for each in (one, two):
            each.knows(hosted.subdomain)

        found = sum(callers.map(lambda router: ask(router, hosted, 50), [one, two] * 50), Counter())
        plane.keep_books()

    assert found == {200: 1_000, 402: 4_000}
    assert UsageRecord.objects.filter(counted=True).count() == 1_000
    assert QuotaCap.objects.get().used <= 10_000_000


def test_a_stopped_model_answers_402_as_json_and_again_after_a_top_up(
    plane, server, host_model, router
):
    hosted = host_model()
    profile = plans.profile_of(hosted.team)
    profile.prepaid = profile.stop_at_zero = True
    profile.save()
    top_up(hosted.team, "0.03", key="first")
    plane.serve(hosted, server)
    router.knows(hosted.subdomain)

    assert ask(router, hosted, 5) == {200: 3, 402: 2}
    wait_until(lambda: settled(plane))
    plane.serve(hosted, server)
    wait_until(lambda: ask(router, hosted) == {402: 1})
    refused = router.query(host=f"{hosted.subdomain}.models.test")
    assert (refused.status, refused.code) == (402, "payment_required")
    assert credits.balance(hosted.team) == 0

    top_up(hosted.team, "0.02", key="second")
    plane.serve(hosted, server)
    wait_until(lambda: ask(router, hosted) == {200: 1})
    assert ask(router, hosted, 3) == {200: 1, 402: 2}


def top_up(team: Team, amount: str, *, key: str) -> None:
    now = timezone.now()
    credits.add(team, Decimal(amount), kind=EntryKind.PURCHASE, key=key, now=now)
    budgets.renew(team, now=now)


def test_when_nobody_can_say_what_is_left_the_answer_is_503_with_the_reason(
    tmp_path, plane, server, host_model
):
    hosted = host_model()
    budget(hosted, "10.00")
    plane.answering = False
    limit = ("--limit", "budget_seconds=0.5")
    with running_router(tmp_path, "--redis", plane.url, *limit) as router:
        plane.serve(hosted, server)
        router.knows(hosted.subdomain)

        refused = router.query(host=f"{hosted.subdomain}.models.test")

        assert (refused.status, refused.code) == (503, "budget_unknown")
        assert refused.headers["retry-after"] == "5"
        plane.answering = True
        wait_until(lambda: ask(router, hosted) == {200: 1})


def test_what_is_leased_is_served_while_redis_is_away(plane, server, host_model, router, own_redis):
    hosted = host_model()
    budget(hosted, "10.00")
    plane.serve(hosted, server)
    router.knows(hosted.subdomain)
    assert ask(router, hosted) == {200: 1}

    own_redis.stop()
    try:
        assert ask(router, hosted, 20) == {200: 20}
    finally:
        own_redis.start()


def test_a_request_that_costs_nothing_gives_back_what_it_held(plane, host_model, router):
    hosted = host_model()
    budget(hosted, "0.01")
    entered = threading.Event()

    def wait_for_ever(seen: Seen, connection: socket.socket) -> None:
        entered.set()
        connection.recv(1)

    slow = Model(wait_for_ever)
    plane.serve(hosted, slow)
    router.knows(hosted.subdomain)
    wire = router.wire()
    wire.send(head("POST", "/v1/query", host=f"{hosted.subdomain}.models.test", body=b"{}"))
    assert entered.wait(10)

    wire.close()  # before the model answered: not billed
    wait_until(slow.hung_up.is_set)
    slow.handler = answer()

    assert ask(router, hosted, 2) == {200: 1, 402: 1}
    slow.close()


@pytest.mark.parametrize("name", ["test", "other"])
def test_a_killed_router_s_units_come_back_to_whoever_asks_next(
    tmp_path, plane, server, host_model, name
):
    """In its place, or in another one of the host: nobody gets a 402 that isn't due."""
    hosted = host_model()
    budget(hosted, "0.20")
    with under(plane, tmp_path) as router:
        plane.serve(hosted, server)
        router.knows(hosted.subdomain)
        assert ask(router, hosted, 7) == {200: 7}
        os.killpg(router.process.pid, signal.SIGKILL)  # its workers, too: nobody says farewell
        router.stop()

    patient = ("--router-id", name, "--limit", "budget_seconds=40")
    with under(plane, tmp_path, *patient) as router:
        router.knows(hosted.subdomain)

        assert ask(router, hosted, 13) == {200: 13}
        assert ask(router, hosted, 2) == {402: 2}
    assert billed(plane) == 20


def test_books_that_are_kept_amid_requests_cost_nobody_a_request(plane, server, host_model, router):
    """What is in the ledger before the router said it spent it is free again after a moment."""
    hosted = host_model()
    budget(hosted, "0.30")
    plane.serve(hosted, server)
    router.knows(hosted.subdomain)

    found: Counter[int] = Counter()
    for _ in range(6):
        found += ask(router, hosted, 5)
        plane.keep_books()

    assert found == {200: 30}
    assert ask(router, hosted) == {402: 1}
    assert billed(plane) == 30


def billed(plane: Plane) -> int:
    plane.keep_books()
    return UsageRecord.objects.filter(counted=True).count()


def test_a_model_without_caps_asks_nobody(plane, server, host_model, router):
    hosted = host_model()
    plane.serve(hosted, server)
    router.knows(hosted.subdomain)

    assert ask(router, hosted, 20) == {200: 20}
    assert not any(kwargs["statements"] for kwargs in plane.leases)


def test_looking_is_free_under_a_cap(plane, server, host_model, router):
    hosted = host_model()
    budget(hosted, "0.01")
    plane.serve(hosted, server)
    router.knows(hosted.subdomain)
    host = f"{hosted.subdomain}.models.test"

    assert [router.request("GET", "/v1/info", host=host).status for _ in range(5)] == [200] * 5
    assert ask(router, hosted, 2) == {200: 1, 402: 1}
