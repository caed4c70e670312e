"""Whichever form of the router there is, it says which it is, and is what the sources say."""

from pathlib import Path

import pytest

from hosting.router import compiled
from tests.router.harness import Router

NAMES = {"plain": "plain Python", "compiled": "machine code"}


def test_a_router_says_which_form_it_is(awake: Router, form: str, tmp_path: Path):
    assert awake.query().status == 200
    assert f"as {NAMES[form]}" in (tmp_path / "router.log").read_text()


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources of our own to change."""
    for path in compiled.sources():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(compiled, "HERE", tmp_path)
    return tmp_path


def test_machine_code_of_other_sources_is_not_looked_at(copy: Path):
    before = compiled.place()
    with (copy / "access.py").open("a") as file:
        file.write("# changed\n")

    assert compiled.place() != before


def test_the_same_sources_are_known_again_wherever_they_lie(monkeypatch, copy: Path):
    there = compiled.place()
    monkeypatch.undo()

    assert compiled.place() == there


def test_without_machine_code_plain_python_runs(copy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled, "ROOT", copy)

    assert not compiled.use()
