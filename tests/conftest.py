"""Fixtures every kind of test shares. The servers behind them: tests/servers.py."""

import functools
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from whitenoise.middleware import WhiteNoiseMiddleware

# How long one example takes says what else this machine does; `timeout` bounds them all.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


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


@pytest.fixture(scope="session", autouse=True)
def static_files_found_once() -> Iterator[None]:
    """Look for the static files once for all test clients.

    Each client makes the middleware anew, and WhiteNoise looks at all 240 of them when it is made:
    twice the work of the request itself.
    """
    look, found = WhiteNoiseMiddleware.add_files_from_finders, dict[str, object]()

    def once(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files = found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", once)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Keep what migrations wrote: a transactional test empties every table behind it.

    pytest-django runs such tests last, but only within a file: files are given out as they come.
    """
    from django.apps import apps
    from django.core import serializers
    from django.db.models.signals import post_migrate

    with django_db_blocker.unblock():
        rows = [
            row
            for app in ("hosting", "billing")
            for model in apps.get_app_config(app).get_models()
            for row in model._default_manager.all()
        ]
        written = serializers.serialize("json", rows)

    def put_back(**_: object) -> None:
        for row in serializers.deserialize("json", written):
            row.save()

    # Emptying the tables ends with this signal, as migrating does.
    post_migrate.connect(put_back, sender=apps.get_app_config("billing"), weak=False)


# These share the whole system, which is started once: they stay on one xdist worker.
ONE_SYSTEM = (
    "tests/e2e/test_browser_first_model.py",
    "tests/e2e/test_callers.py",
    "tests/e2e/test_caps.py",
    "tests/e2e/test_deploys.py",
    "tests/e2e/test_documented_curl.py",
    "tests/e2e/test_npm_client.py",
    "tests/e2e/test_without_redis.py",
)
_TOGETHER = "one system"
# These share the web process that browsers look at.
ONE_SITE = ("tests/e2e/test_browser_dashboard.py", "tests/e2e/test_browser_passkeys.py")
_SITE = "one site"
# What mostly waits, for containers and clocks, the longest first. All the rest mostly computes.
# The system ends when a file of another folder follows.
WAITS = (
    _TOGETHER,
    "tests/docker/test_compose.py",
    "tests/e2e/test_up_and_down.py",
    _SITE,
    "tests/database/test_answered_is_billed.py",
    "tests/e2e/test_cluster.py",
    "tests/supervisor/test_system_servers.py",
    "tests/docker/test_cluster_isolation.py",
    "tests/unit/test_runtime_contract.py",
    "tests/docker/test_isolation.py",
    "tests/docker/test_docker_runtime.py",
    "tests/router/test_route_changes.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give each worker whole files: what a file sets up is set up once.

    The first worker begins with what waits, the others with what computes: so neither the machine
    stands idle nor two that need all of it meet, and no long file is left for the end.
    xdist's own `loadgroup` does nothing under pytest 9.2, and says nothing.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if file in ONE_SITE:
                return _SITE
            return _TOGETHER if file in ONE_SYSTEM else file

        def _assign_work_unit(self, node: Any) -> None:
            waits = [scope for scope in WAITS if scope in self.workqueue]
            computes = [scope for scope in self.workqueue if scope not in WAITS]
            first = waits + computes if node.gateway.id == "gw0" else computes + waits
            self.workqueue.move_to_end(first[0], last=False)
            super()._assign_work_unit(node)

    return ByFile(config, log)


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
