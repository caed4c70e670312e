"""A disk without room is one clear line before anything is written."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor import up
from supervisor.__main__ import main
from supervisor.errors import SetupFailed
from supervisor.installation import Installation

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """Fifty mebibytes."""
    disk = folder / "disk"
    disk.mkdir()
    options = "size=50m,mode=0711"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk can't be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_one_line_an_exit_code_and_nothing_left_behind(small_disk: Path) -> None:
    environment = {
        **os.environ,
        "DORMOUSE_STATE_DIR": str(small_disk / "var"),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
    }

    ended = subprocess.run(
        [sys.executable, "-m", "supervisor", "up"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    said = (ended.stdout + ended.stderr).strip()
    assert ended.returncode == 1, said
    assert said.count("\n") == 0
    assert f"The disk that holds {small_disk / 'var'} has " in said
    assert "1024 MB are needed. Free some space and start again." in said
    assert list(small_disk.iterdir()) == []


def test_a_disk_with_room_again_is_no_obstacle(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = Installation(
        state=folder / "not" / "there" / "yet",
        port=8100,
        dashboard_port=8101,
        base_domain="localhost",
        runtime="process",
    )
    free = iter([up._LEAST_FREE_BYTES - 1, up._LEAST_FREE_BYTES])
    asked: list[Path] = []

    def usage(place: Path) -> object:
        asked.append(place)
        return type("Usage", (), {"free": next(free)})

    monkeypatch.setattr(shutil, "disk_usage", usage)

    with pytest.raises(SetupFailed, match="1023 MB free"):
        up._need_space(installation)
    up._need_space(installation)

    assert asked == [folder, folder]  # what is there of it


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_on_the_way_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(up, "up", full)

    assert main(["up"]) == 1
    assert capsys.readouterr().err == (
        "dormouse: The disk is full. Free some space and start again.\n"
    )
