"""The kernel's freezer of either version, on a tree of files that behaves like the kernel's."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hosting.errors import ReplicaFailed
from hosting.runtimes import cgroup_freezer

ID = "5f" * 32
PLACES = {
    "freezer/docker/{}": 1,
    "freezer/system.slice/docker-{}.scope": 1,
    "docker/{}": 2,
    "system.slice/docker-{}.scope": 2,
}
_write = Path.write_text


@dataclass
class Kernel:
    """One container's control group; it has done as it was told after `slow` looks."""

    folder: Path
    version: int
    slow: float = 0
    now: float = 0.0
    said: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.folder.mkdir(parents=True)
        _write(self.folder / "cgroup.procs", "17\n18\n")
        if self.version == 2:
            _write(self.folder / "cgroup.freeze", "0\n")
        self.tell(frozen=False)

    def obey(self, path: Path, said: str) -> None:
        """What a write to the switch does."""
        path.read_text()  # is it there?
        self.said.append(said)
        if self.slow:
            self.tell(frozen=False, word="FREEZING")
        else:
            self.pass_time(0)

    def pass_time(self, seconds: float) -> None:
        """What happens while somebody waits."""
        self.now += seconds
        self.slow = max(self.slow - 1, 0)
        if not self.slow:
            self.tell(frozen=self.said[-1] in ("FROZEN", "1"))

    def tell(self, *, frozen: bool, word: str = "") -> None:
        if self.version == 1:
            word = word or ("FROZEN" if frozen else "THAWED")
            _write(self.folder / "freezer.state", f"{word}\n")
        else:
            _write(self.folder / "cgroup.events", f"populated 1\nfrozen {int(frozen)}\n")


@pytest.fixture(params=["freezer/docker/{}", "docker/{}"])
def kernel(request, tmp_path, monkeypatch):
    made = Kernel(tmp_path / request.param.format(ID), PLACES[request.param])
    monkeypatch.setattr(cgroup_freezer.time, "sleep", made.pass_time)
    monkeypatch.setattr(cgroup_freezer.time, "monotonic", lambda: made.now)
    monkeypatch.setattr(cgroup_freezer.Path, "write_text", lambda path, said: made.obey(path, said))
    return made


@pytest.fixture
def freezer(kernel, tmp_path):
    return cgroup_freezer.find(ID, root=tmp_path)


@pytest.mark.parametrize("place", PLACES)
def test_it_is_found_where_either_driver_of_either_version_puts_it(tmp_path, place):
    kernel = Kernel(tmp_path / place.format(ID), PLACES[place])

    assert cgroup_freezer.find(ID, root=tmp_path).folder == kernel.folder
    assert cgroup_freezer.find("af" * 32, root=tmp_path) is None


def test_where_both_versions_are_there_the_one_with_controllers_is_asked(tmp_path):
    Kernel(tmp_path / "unified/docker" / ID, 2)
    first = Kernel(tmp_path / "freezer/docker" / ID, 1)

    assert cgroup_freezer.find(ID, root=tmp_path).folder == first.folder


def test_it_freezes_and_thaws(freezer):
    before = freezer.is_frozen()
    froze = freezer.freeze()
    between = freezer.is_frozen()
    runs = freezer.thaw()

    assert (before, froze, between, runs, freezer.is_frozen()) == (False, True, True, True, False)


def test_freezing_returns_when_the_last_process_stands_still(freezer, kernel):
    kernel.slow = 5

    assert freezer.freeze()
    assert kernel.slow == 0
    assert freezer.is_frozen()


def test_what_does_not_freeze_goes_on_and_is_told(freezer, kernel):
    kernel.slow = float("inf")

    with pytest.raises(ReplicaFailed, match=r"doesn't say “(FROZEN|frozen 1)”"):
        freezer.freeze()

    assert kernel.said in (["FROZEN", "THAWED"], ["1", "0"])
    assert 2 <= kernel.now < 3


def test_what_has_ended_neither_freezes_nor_thaws(freezer, kernel):
    shutil.rmtree(kernel.folder)

    assert not freezer.freeze()
    assert not freezer.thaw()
    assert not freezer.is_frozen()


def test_a_container_whose_processes_are_gone_does_not_run(freezer, kernel):
    _write(kernel.folder / "cgroup.procs", "")

    assert not freezer.thaw()


def test_what_may_not_be_written_is_not_ours_to_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroup_freezer.os, "access", lambda path, _: path != tmp_path / "freezer")

    second = cgroup_freezer.obeys(root=tmp_path)
    (tmp_path / "freezer").mkdir()

    assert (second, cgroup_freezer.obeys(root=tmp_path)) == (True, False)
