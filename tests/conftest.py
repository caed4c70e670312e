"""Fixtures every kind of test shares. The servers behind them: tests/servers.py."""

import functools
import os
import shutil
from collections.abc import Iterator

import pytest
import redis


@pytest.fixture
def redis_url() -> Iterator[str]:
    """The address of an empty Redis that only this test uses while it runs."""
    url = os.environ["REDIS_URL"]
    with redis.Redis.from_url(url) as client:
        client.flushall()
        yield url
        client.flushall()


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of that Redis, answering text."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine can't run, and say why."""
    for marker, reason in (
        ("docker", _no_docker),
        ("browser", _no_browser),
        ("node", _no_node),
    ):
        if item.get_closest_marker(marker) and (why := reason()):
            pytest.skip(why)


@functools.cache
def _no_docker() -> str:
    import docker

    try:
        client = docker.from_env(timeout=10)
        client.ping()
        client.close()
    except docker.errors.DockerException:
        return "no Docker engine answers; scripts/start_engine.sh starts one"
    return ""


@functools.cache
def _no_browser() -> str:
    return "" if shutil.which("chromium") else "no Chromium; apt-get install chromium"


@functools.cache
def _no_node() -> str:
    return "" if shutil.which("npm") else "no Node.js; apt-get install nodejs npm"
