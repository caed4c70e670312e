"""What a router is told by its environment, and what its command line says above that."""

from pathlib import Path

import pytest

from hosting.router.command import read
from hosting.router.config import Address, Config

NEEDED = ["--routes", "routes.json", "--spool", "spool"]


def configured(*arguments: str) -> Config:
    return read([*NEEDED, *arguments])[0]


def test_the_environment_says_what_callers_speak_and_where_metrics_go(monkeypatch):
    monkeypatch.setenv("DORMOUSE_PUBLIC_SCHEME", "https")
    monkeypatch.setenv("DORMOUSE_METRICS", "127.0.0.1:9100")
    monkeypatch.setenv("DORMOUSE_ACCESS_LOG", "access.log")

    config = configured()
    assert config.scheme == "https"
    assert config.metrics == Address("127.0.0.1", 9100)
    assert config.access_log == Path("access.log")

    config = configured("--scheme", "http", "--metrics", "[::1]:9200", "--access-log", "a.log")
    assert config.scheme == "http"
    assert config.metrics == Address("::1", 9200)
    assert config.access_log == Path("a.log")


@pytest.mark.parametrize("name", ["PUBLIC_SCHEME", "METRICS", "ACCESS_LOG"])
def test_what_is_set_to_nothing_is_not_set(name: str, monkeypatch):
    monkeypatch.setenv(f"DORMOUSE_{name}", "")

    config = configured()
    assert (config.scheme, config.metrics, config.access_log) == ("http", None, None)


def test_a_wrong_address_for_metrics_is_named(monkeypatch, capsys):
    monkeypatch.setenv("DORMOUSE_METRICS", "9100")

    with pytest.raises(SystemExit):
        configured()
    assert "--metrics" in capsys.readouterr().err
