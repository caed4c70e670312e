"""Who freezes a container, the kernel or the engine, and what the other one then says of it."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from docker.errors import APIError, NotFound

from hosting.runtimes import cgroup_freezer
from hosting.runtimes.docker_freezer import DockerFreezer

NAME = "x-r1"


@dataclass
class FakeEngine:
    """Containers by their names, on a version 1 freezer; words and refusals are Docker 20.10's."""

    root: object
    asked: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    made: int = 0

    @property
    def client(self):
        return self

    def run(self, name):
        self.made += 1
        self.states[name] = "running"
        self.folder(name).mkdir(parents=True)
        (self.folder(name) / "cgroup.procs").write_text("17\n")
        self.say(name, "THAWED")

    def end(self, name):
        for each in self.folder(name).iterdir():
            each.unlink()
        self.folder(name).rmdir()
        self.states[name] = "exited"

    def id(self, name):
        return f"{self.made:064x}"

    def folder(self, name):
        return self.root / "freezer/docker" / self.id(name)

    def say(self, name, word):
        (self.folder(name) / "freezer.state").write_text(word)

    def stands_still(self, name):
        return (self.folder(name) / "freezer.state").read_text() == "FROZEN"

    def inspect_container(self, name):
        self.asked.append("inspect")
        if name not in self.states:
            raise NotFound("No such container")
        return {"Id": self.id(name), "Name": f"/{name}", "State": {"Status": self.states[name]}}

    def pause(self, name):
        self._expect(name, "running", "is not running" if name in self.states else "")
        if self.stands_still(name):
            raise refusal(500, "OCI runtime pause failed: container not running")
        self.asked.append("pause")
        self.say(name, "FROZEN")
        self.states[name] = "paused"

    def unpause(self, name):
        self._expect(name, "paused", "is not paused")
        if not self.stands_still(name):
            raise refusal(500, "OCI runtime resume failed: container not paused")
        self.asked.append("unpause")
        self.say(name, "THAWED")
        self.states[name] = "running"

    def _expect(self, name, state, words):
        if name not in self.states:
            raise NotFound("No such container")
        if self.states[name] != state:
            raise refusal(500, f"Container {name} {words}")


def refusal(status, words):
    return APIError(words, response=SimpleNamespace(status_code=status), explanation=words)


@pytest.fixture
def engine(tmp_path):
    made = FakeEngine(tmp_path)
    made.run(NAME)
    return made


@pytest.fixture
def freezer(engine, tmp_path):
    return DockerFreezer(engine, cgroups=tmp_path)


@pytest.fixture
def restarted(engine, tmp_path):
    """The freezer of a worker that was started later."""
    return DockerFreezer(engine, cgroups=tmp_path)


@pytest.fixture
def ordinary(engine, tmp_path, monkeypatch):
    """The freezer of a worker that is not root."""
    with monkeypatch.context() as patched:
        patched.setattr(cgroup_freezer, "obeys", lambda **_: False)
        return DockerFreezer(engine, cgroups=tmp_path)


@pytest.fixture
def elsewhere(engine, tmp_path):
    """The freezer of a worker whose engine is another machine's."""
    (tmp_path / "other").mkdir()
    return DockerFreezer(engine, cgroups=tmp_path / "other")


def is_frozen(freezer, engine):
    return freezer.is_frozen(engine.inspect_container(NAME))


def test_the_kernel_freezes_and_the_engine_knows_nothing(freezer, engine):
    freezer.freeze(NAME)

    assert engine.stands_still(NAME)
    assert engine.states[NAME] == "running"
    assert is_frozen(freezer, engine)


def test_what_was_frozen_here_is_thawed_without_asking_anybody(freezer, engine):
    freezer.freeze(NAME)
    engine.asked.clear()

    assert freezer.thaw(NAME)
    assert engine.asked == []
    assert not engine.stands_still(NAME)


def test_a_worker_that_was_restarted_sees_and_thaws_it(freezer, restarted, engine):
    freezer.freeze(NAME)

    seen = is_frozen(restarted, engine)

    assert (seen, restarted.thaw(NAME), is_frozen(restarted, engine)) == (True, True, False)


def test_what_the_engine_paused_is_unpaused_by_it(freezer, engine):
    engine.pause(NAME)

    seen = is_frozen(freezer, engine)

    assert (seen, freezer.thaw(NAME)) == (True, True)
    assert engine.states[NAME] == "running"
    assert not engine.stands_still(NAME)


def test_what_the_engine_paused_since_we_looked_runs_all_the_same(freezer, engine):
    assert not is_frozen(freezer, engine)
    engine.pause(NAME)

    assert freezer.thaw(NAME)
    assert not is_frozen(freezer, engine)


def test_an_engine_that_holds_a_running_one_paused_is_set_right_with_the_next_sleep(
    freezer, restarted, engine
):
    engine.pause(NAME)
    engine.say(NAME, "THAWED")

    runs = freezer.thaw(NAME)
    freezer.freeze(NAME)
    stood_still = engine.stands_still(NAME)

    assert (runs, stood_still, restarted.thaw(NAME)) == (True, True, True)
    assert engine.states[NAME] == "running"


@pytest.mark.parametrize("which", ["ordinary", "elsewhere"])
def test_where_the_kernel_is_out_of_reach_the_engine_does_it(request, engine, which):
    freezer = request.getfixturevalue(which)

    freezer.freeze(NAME)
    seen = is_frozen(freezer, engine)
    runs = [freezer.thaw(NAME) for _ in range(2)]

    assert (seen, runs) == (True, [True, True])
    assert [each for each in engine.asked if each != "inspect"] == ["pause", "unpause"]


def test_a_worker_that_is_not_root_asks_the_engine_once(ordinary, engine):
    ordinary.freeze(NAME)
    ordinary.thaw(NAME)

    assert engine.asked == ["pause", "unpause"]


def test_what_root_froze_counts_as_ended_for_who_can_not_thaw_it(freezer, ordinary, engine):
    freezer.freeze(NAME)

    assert is_frozen(ordinary, engine)
    assert not ordinary.thaw(NAME)


def test_what_is_to_end_is_thawed_first(freezer, engine):
    freezer.freeze(NAME)

    freezer.release(NAME)

    assert not engine.stands_still(NAME)


def test_what_has_ended_or_never_was_is_left_alone(freezer, engine):
    freezer.freeze(NAME)
    engine.end(NAME)

    for name in (NAME, "x-r2"):
        freezer.freeze(name)
        freezer.release(name)

    assert not freezer.thaw(NAME)
    assert not freezer.thaw("x-r2")


def test_a_name_that_was_used_again_is_another_container(freezer, engine):
    freezer.freeze(NAME)
    engine.end(NAME)
    engine.run(NAME)
    engine.say(NAME, "FROZEN")

    assert freezer.thaw(NAME)
    assert not engine.stands_still(NAME)
