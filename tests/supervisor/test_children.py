"""Keeping processes alive, with a clock of our own."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.children import Children, Program
from supervisor.lock import Lock
from tests.supervisor.conftest import until

SLEEP = ("sleep", "600")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watch:
    """Children under test: what they say, and the hand on their clock."""

    def __init__(self, folder: Path, *programs: Program) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.children = Children(
            programs,
            environment=dict(os.environ),
            logs=folder,
            cwd=folder,
            say=self.said.append,
            clock=self.clock,
        )

    def end(self, name: str) -> None:
        pid = self.children.pid(name)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.children.pid(name) is None)


@pytest.fixture
def watch(tmp_path):
    watch = Watch(tmp_path, Program("first", SLEEP), Program("second", SLEEP))
    yield watch
    watch.children.kill()


def test_a_child_that_dies_is_started_again_after_a_moment(watch):
    watch.children.check()
    watch.end("first")

    watch.children.check()
    assert watch.children.pid("first") is None
    watch.clock.now += 0.6
    watch.children.check()

    assert watch.children.pid("first") is not None
    assert watch.said[0].startswith("first ended with -9")


def test_a_child_that_keeps_dying_is_started_less_and_less_often(watch):
    waits = []
    for _ in range(9):
        watch.children.check()
        watch.end("first")
        watch.children.check()
        waits.append(float(watch.said[-1].split(" in ")[1].split(" s")[0]))
        watch.clock.now += waits[-1]

    assert waits == [0.5, 1, 2, 4, 8, 10, 10, 10, 10]


def test_a_child_that_ran_a_while_is_soon_started_again_however_often_it_was(watch):
    for _ in range(9):
        watch.children.check()
        watch.clock.now += 10
        watch.end("first")
        watch.children.check()
        watch.clock.now += 0.6

    assert all(" in 0.5 s" in each for each in watch.said)


def test_a_child_that_is_held_starts_once_it_no_longer_is(watch):
    watch.children.hold("second")
    watch.children.check()
    assert watch.children.pid("second") is None

    watch.children.hold()
    watch.children.check()

    assert watch.children.pid("second") is not None


def test_the_other_children_do_not_notice(watch):
    watch.children.check()
    second = watch.children.pid("second")

    watch.end("first")
    watch.children.check()

    assert watch.children.pid("second") == second


def test_a_child_that_ignores_the_signal_is_killed(tmp_path):
    stubborn = ("sh", "-c", "trap '' TERM; echo up; sleep 600")
    watch = Watch(tmp_path, Program("stubborn", stubborn, grace_seconds=0.2))
    watch.children.check()
    until(lambda: (tmp_path / "stubborn.log").read_text() == "up\n")

    watch.children.stop()

    assert watch.children.pid("stubborn") is None


def test_children_end_with_a_parent_that_was_killed(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from supervisor import spawning;"
        f"child = spawning.spawn({SLEEP!r}, log=Path({str(tmp_path / 'log')!r}));"
        "print(child.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    status = Path(f"/proc/{int(ended.stdout)}/status")
    until(lambda: not status.exists() or "State:\tZ" in status.read_text())


def test_only_one_process_holds_the_lock_and_a_dead_one_does_not(tmp_path):
    file = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from supervisor.lock import Lock;"
        f"print(Lock(Path({str(file)!r})).take(), flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        assert Lock(file).holder() == other.pid
        assert not Lock(file).take()
        other.kill()

    assert Lock(file).holder() is None
    assert Lock(file).take()


def test_a_child_there_is_no_room_to_start_is_tried_again_and_the_others_do_not_notice(tmp_path):
    room = {"there": False}

    def clear() -> None:
        if not room["there"]:
            raise OSError(errno.ENOSPC, "No space left on device")

    watch = Watch(tmp_path, Program("first", SLEEP, clear=clear), Program("second", SLEEP))
    watch.children.check()
    assert watch.said[0].startswith("first can't be started ([Errno 28] No space left on device)")
    assert watch.children.pid("second") is not None

    room["there"] = True
    watch.children.check()
    assert watch.children.pid("first") is None  # not before its time
    watch.children.hurry()
    watch.children.check()

    assert watch.children.pid("first") is not None
    watch.children.kill()
