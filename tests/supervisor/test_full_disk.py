"""A disk without room is one clear line before anything is written."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from hosting import disks
from supervisor import embedded, up
from supervisor.__main__ import main
from supervisor.disk_watch import DiskWatch
from supervisor.errors import SetupFailed
from supervisor.installation import Installation
from tests.supervisor.conftest import until

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
    free = iter([disks.LOW_BYTES - 1, disks.LOW_BYTES])
    asked: list[Path] = []

    def usage(place: Path) -> object:
        asked.append(place)
        return type("Usage", (), {"total": 1 << 40, "free": next(free)})

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


class Watched:
    """A disk watch whose disk has as much room as a test says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.free = 1 << 40
        self.said: list[str] = []
        self.folder = folder
        monkeypatch.setattr(
            shutil,
            "disk_usage",
            lambda _: type("Usage", (), {"total": 1 << 40, "free": self.free}),
        )
        logs = folder / "log"
        self.watch = DiskWatch(
            [folder, logs], logs=logs, say=self.said.append, clock=lambda: self.now
        )

    def after(self, seconds: float, *, free: int) -> bool:
        self.now += seconds
        self.free = free
        return self.watch.check()


@pytest.fixture
def watched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(folder, monkeypatch)


def test_a_disk_that_fills_up_is_told_once_an_hour(watched: Watched) -> None:
    for _ in range(4):
        assert not watched.after(1500, free=900 << 20)

    assert (
        watched.said
        == [
            f"The disk that holds {watched.folder} has 900 MB free. Free some space on it: once it "
            "is full, requests can't be counted, and are refused."
        ]
        * 2
    )


def test_a_full_disk_is_told_once_a_minute_and_when_there_is_room_again(watched: Watched) -> None:
    recovered = [watched.after(seconds, free=3 << 20) for seconds in (1, 1, 30, 30)]
    recovered.append(watched.after(1, free=2 << 30))
    recovered.append(watched.after(1, free=2 << 30))

    full = (
        f"The disk that holds {watched.folder} has 3 MB free: it is full, and what must be written "
        "down waits. Free some space on it; nothing needs to be started again. "
        f"Of ours, what is in {watched.folder / 'log'} may go."
    )
    assert watched.said == [full, full, "There is room on the disk again: everything goes on."]
    assert recovered == [False, False, False, False, True, False]


def test_a_database_whose_disk_was_full_goes_on_with_all_it_had(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=120m", str(small_disk)], check=True)
    logs = small_disk.parent / "log"
    said: list[str] = []
    given = {"REDIS_URL": "redis://elsewhere"}
    servers = embedded.start(small_disk, logs=logs, given=given, durable=False)
    stores = servers.watched(logs=logs, say=said.append)
    query(servers, "CREATE TABLE kept AS SELECT 42 AS answer")
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 20)):
            pass

    def has_ended() -> bool:
        with suppress(psycopg.Error):  # it needs a new file for what it writes down
            query(servers, "UPDATE kept SET answer = 42; SELECT pg_switch_wal()")
        stores.check()
        return bool(said)

    try:
        until(has_ended)
        filler.unlink()
        stores.hurry()
        stores.check()

        until(lambda: _answers(servers))
        assert query(servers, "SELECT answer FROM kept") == (42,)
    finally:
        stores.stop()
    assert all(line.startswith("postgres ended with ") for line in said)


def query(servers: embedded.Servers, text: str) -> object:
    with psycopg.connect(servers.database_url) as connection:
        asked = connection.execute(text)
        return asked.fetchone() if asked.description else None


def _answers(servers: embedded.Servers) -> bool:
    try:
        return query(servers, "SELECT 1") is not None
    except psycopg.OperationalError:
        return False
