"""Reading the whole route table again: in pages, and only what says something new."""

import asyncio
import logging
from dataclasses import replace

import pytest

from hosting.router import table_feed
from hosting.router.routes import RouteTable
from hosting.router.table_feed import TableFeed
from hosting.wire import ReplicaAddress, Route

MANY = 1000


class Redis:
    """A hash that is read in pages, in turns of the loop."""

    def __init__(self) -> None:
        self.texts: dict[bytes, bytes] = {}
        self.complete = True
        self.pages = 0

    def put(self, route: Route) -> None:
        self.texts[route.subdomain.encode()] = route.to_json().encode()

    async def hscan(self, key: str, cursor: int, *, count: int):
        await asyncio.sleep(0)
        self.pages += 1
        names = sorted(self.texts)[cursor : cursor + count]
        following = cursor + count
        page = {name: self.texts[name] for name in names}
        return (following if following < len(self.texts) else 0), page

    async def exists(self, key: str) -> int:
        return int(self.complete)


def route(number: int, **changes) -> Route:
    return replace(Route(model_id=number, subdomain=f"m{number}", generation=1), **changes)


@pytest.fixture
def redis() -> Redis:
    made = Redis()
    for number in range(MANY):
        made.put(route(number))
    return made


@pytest.fixture
def table() -> RouteTable:
    return RouteTable(stale_after=1e9, clock=lambda: 0.0)


@pytest.fixture
def feed(redis: Redis, table: RouteTable) -> TableFeed:
    return TableFeed(redis, table)  # type: ignore[arg-type]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The subdomains of the routes that were parsed."""
    found: list[str] = []

    class Counted:
        @staticmethod
        def from_json(text: bytes) -> Route:
            made = Route.from_json(text)
            found.append(made.subdomain)
            return made

    monkeypatch.setattr(table_feed, "Route", Counted)
    return found


def read(feed: TableFeed) -> None:
    asyncio.run(feed._read_whole())


def test_only_what_changed_is_parsed_again(feed, redis, table, parsed):
    read(feed)
    assert len(parsed) == len(table) == MANY
    parsed.clear()
    redis.put(route(7, generation=2, active=False))
    redis.put(route(MANY))
    del redis.texts[b"m3"]

    read(feed)

    assert sorted(parsed) == ["m1000", "m7"]
    assert table.find("m3") is None
    assert not table.find("m7").active
    assert table.find("m1000") is not None
    assert table.complete


def test_others_have_their_turn_between_two_pages(feed, redis):
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def run() -> None:
        task = asyncio.create_task(others())
        await feed._read_whole()
        task.cancel()

    asyncio.run(run())

    assert redis.pages == MANY // table_feed._PAGE
    assert turns >= redis.pages


def test_nothing_is_gone_while_the_table_is_not_whole(feed, redis, table):
    read(feed)
    redis.texts.clear()
    redis.complete = False

    read(feed)

    assert len(table) == MANY


def test_what_makes_no_sense_keeps_nobody_else_out(feed, redis, table, caplog):
    redis.texts[b"m5"] = b"{"
    with caplog.at_level(logging.ERROR):
        read(feed)
    assert len(table) == MANY - 1
    assert "m5" in caplog.text

    redis.put(route(5))
    read(feed)
    assert len(table) == MANY


def test_an_older_text_undoes_nothing_heard_since(feed, table):
    read(feed)
    table.apply(route(9, generation=5, active=False))

    read(feed)

    assert not table.find("m9").active


def test_what_another_source_did_not_know_comes_back_with_the_same_text(feed, table):
    read(feed)
    table.replace({"m1": route(1)})
    assert len(table) == 1

    read(feed)

    assert len(table) == MANY


def test_who_walks_meets_only_models_where_something_goes_on(table):
    asleep = [route(number) for number in range(50)]
    awake = route(50, state="awake", replicas=(ReplicaAddress(1, "127.0.0.1", 1),))
    waking = route(51, state="awakening")
    table.replace({each.subdomain: each for each in (*asleep, awake, waking)})
    assert [each.route.subdomain for each in table.astir()] == ["m50", "m51"]

    endpoint = table.find("m50")
    replica = endpoint.take_slot()
    table.apply(replace(awake, generation=2, state="asleep", replicas=()))
    assert endpoint in table.astir()  # its last request is still under way
    endpoint.give_back(replica, now=1.0)
    assert [each.route.subdomain for each in table.astir()] == ["m51"]

    table.apply(replace(awake, generation=3, state="awakening"))
    assert endpoint in table.astir()
    table.apply(replace(waking, removed=True))
    assert table.astir() == [endpoint]


def test_who_waits_for_a_sleeper_stirs_it(table):
    table.apply(route(1))
    endpoint = table.find("m1")
    table.stir(endpoint)
    assert table.astir() == []

    endpoint.waiting.append(object())
    table.stir(endpoint)
    assert table.astir() == [endpoint]
