"""What one installation keeps for the commands that are run beside it."""

from pathlib import Path

import pytest

from supervisor.errors import SetupFailed
from supervisor.installation import Installation


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setenv("DORMOUSE_STATE_DIR", str(tmp_path / "var"))
    made = Installation.read()
    made.prepare()
    return made


def test_the_engine_it_was_started_on_is_kept_and_nothing_that_is_not_ours(
    installation: Installation,
):
    engine = "unix:///run/manager.sock"

    installation.remember({"DOCKER_HOST": engine, "DORMOUSE_PORT": "8000", "HOME": "/root"})

    assert installation.remembered() == {"DOCKER_HOST": engine, "DORMOUSE_PORT": "8000"}


def test_what_is_kept_is_its_owners_alone_and_can_be_forgotten(installation: Installation):
    installation.remember({"DATABASE_URL": "postgresql://u:secret@h/d"})

    kept = installation.run / "environment.json"
    assert kept.stat().st_mode & 0o077 == 0
    installation.forget()
    assert installation.remembered() is None


def test_wrong_settings_are_named_as_they_were_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DORMOUSE_PORT", "many")
    monkeypatch.setenv("DORMOUSE_RUNTIME", "kubernetes")

    with pytest.raises(SetupFailed, match=r"DORMOUSE_PORT: .*DORMOUSE_RUNTIME: "):
        Installation.read()
