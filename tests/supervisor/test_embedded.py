"""The embedded servers: first start, second start, and what a killed one leaves behind."""

import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from supervisor import embedded, postgres, valkey
from supervisor.errors import SetupFailed
from tests.supervisor.conftest import until


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., embedded.Servers]]:
    started: list[embedded.Servers] = []

    def start(**given: str) -> embedded.Servers:
        servers = embedded.start(folder, logs=folder / "log", given=given)
        started.append(servers)
        return servers

    yield start
    for servers in reversed(started):
        servers.stop()


def test_what_was_written_is_there_after_a_restart(start):
    first = start()
    with psycopg.connect(first.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    redis.Redis.from_url(first.redis_url).set("kept", "42")
    first.stop()

    second = start()

    with psycopg.connect(second.database_url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert redis.Redis.from_url(second.redis_url).get("kept") == b"42"


def test_a_killed_server_is_started_again_on_its_data(start):
    first = start()
    with psycopg.connect(first.database_url) as connection:
        connection.execute("CREATE TABLE kept ()")
    for server in first.started:
        assert server.process is not None
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()

    second = start()

    with psycopg.connect(second.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_lock_file_whose_number_is_another_process_now_does_not_stop_the_start(start, folder):
    start().stop()
    (folder / "postgres" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")

    with psycopg.connect(start().database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_on_its_way_out_is_waited_for_and_started_again(start):
    for server in start().started:
        assert server.process is not None
        server.process.send_signal(signal.SIGINT)

    with psycopg.connect(start().database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_running_servers_are_found_not_started_twice(start):
    first = start()

    second = start()

    assert (second.database_url, second.redis_url) == (first.database_url, first.redis_url)
    assert all(server.process is None for server in second.started)


def test_servers_named_in_the_environment_are_used_and_left_alone(start):
    servers = start(DATABASE_URL="postgresql://db/x", REDIS_URL="redis://broker:6379/0")

    assert servers.started == []
    assert servers.database_url == "postgresql://db/x"


def test_no_server_listens_beyond_this_machine_or_without_a_password(start, folder):
    servers = start()

    assert "127.0.0.1" in servers.redis_url
    assert stat.S_IMODE((folder / "postgres" / "socket").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "valkey" / "url").stat().st_mode) == 0o600
    port = int(servers.redis_url.rpartition(":")[2].split("/")[0])
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_data_of_a_version_that_is_not_installed_is_named(folder):
    data = folder / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")

    with pytest.raises(SetupFailed, match="PostgreSQL 9, which is not installed"):
        postgres.start(folder / "postgres", log=folder / "log")


def test_a_server_that_cannot_start_says_where_to_look(folder, monkeypatch):
    monkeypatch.setattr(valkey, "binary", lambda: "/bin/false")

    with pytest.raises(SetupFailed, match=r"Valkey did not start on port \d+.*log"):
        valkey.start(folder / "valkey", log=folder / "log")


def test_a_server_that_is_killed_is_started_again_on_its_data_at_its_address(start, folder):
    servers, said = start(), []
    watched = servers.watched(logs=folder / "log", say=said.append)
    broker = redis.Redis.from_url(servers.redis_url)
    broker.set("kept", "42")
    with psycopg.connect(servers.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    until(lambda: (folder / "valkey" / "appendonlydir").exists())
    busy = psycopg.connect(servers.database_url)
    for name in ("postgres", "valkey"):
        os.kill(watched.pid(name), signal.SIGKILL)

    def is_back() -> bool:
        watched.check()
        try:
            with psycopg.connect(servers.database_url) as connection:
                answer = connection.execute("SELECT answer FROM kept").fetchone()
            return (broker.get("kept"), answer) == (b"42", (42,))
        except (psycopg.OperationalError, redis.RedisError):
            return False

    until(is_back, seconds=30)
    watched.stop()

    busy.close()
    assert sorted(line.split(";")[0] for line in said) == [
        "postgres ended with -9",
        "valkey ended with -9",
    ]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(servers.database_url)
