"""What only the process driver does: faults of workers and launchers, ports, secrets, logs."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from hosting import catalogue
from hosting.errors import BuildFailed, ReplicaFailed
from hosting.runtimes import launcher
from hosting.runtimes.base import Recipe, Resources, Status
from hosting.runtimes.process import ProcessRuntime
from tests import worlds
from tests.worlds import ECHO, ask, eventually, ready, said, spec


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory):
    world = worlds.process_world(tmp_path_factory.mktemp("process") / "state")
    world.runtime.build(catalogue.recipe(ECHO), progress=lambda *_: None)
    return world


@pytest.fixture
def world(shared_world):
    yield shared_world
    shared_world.clean()


def files_of(world, name):
    return world.state_dir / "replicas" / name


def record_of(world, name):
    return json.loads((files_of(world, name) / launcher.REPLICA).read_text())


def session_members(pid):
    numbers = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    return [each for each in numbers if launcher.session_of(each) == pid and _runs(each)]


def _runs(pid):
    with suppress(FileNotFoundError, ProcessLookupError):
        return launcher.is_alive(launcher.identity(pid))
    return False


def ended(world, name):
    found = world.runtime.find(name)
    return found if found and found.status is Status.EXITED else None


WORKER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from hosting.runtimes.process import ProcessRuntime
    from tests.worlds import said, spec
    ProcessRuntime(installation="test", state_dir=Path(sys.argv[1])).start(spec(sys.argv[2]))
    print("started", flush=True)
    time.sleep(600)
""")


def test_a_replica_outlives_the_worker_that_started_it(world):
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(world.state_dir), "orphan"], stdout=subprocess.PIPE
    )
    with worker:
        assert worker.stdout.readline() == b"started\n"
        worker.kill()

    adopted = ready(world.start(spec("orphan")))

    assert adopted.status is Status.RUNNING
    assert len(world.runtime.replicas()) == 1
    world.runtime.stop("orphan")
    assert world.runtime.find("orphan") is None


@pytest.mark.parametrize("after_seconds", [0.005, 0.02, 0.035, 0.05])
def test_a_worker_killed_while_it_starts_leaves_one_replica_at_most(world, after_seconds):
    name = f"killed-{int(after_seconds * 1000)}"
    folder = files_of(world, name)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(world.state_dir), name], stdout=subprocess.DEVNULL
    )
    with worker:
        eventually(folder.exists)
        time.sleep(after_seconds)  # a moment inside the start; whichever it is must do no harm
        worker.kill()

    found = ready(world.start(spec(name)))

    listening = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, check=False)
    launchers = [int(each) for each in listening.stdout.split() if _runs(int(each))]
    assert launchers == [record_of(world, name)["pid"]]
    assert ask(found, "/echo", {"text": "one"})[1]["text"] == "one"


def test_a_launcher_that_was_killed_takes_nothing_with_it_that_stop_cannot_find(world):
    started = ready(world.start(spec("headless")))
    record = record_of(world, "headless")
    server = ask(started, "/echo", {})[1]["pid"]
    os.kill(record["pid"], signal.SIGKILL)
    eventually(lambda: ended(world, "headless"))

    world.runtime.stop("headless")

    eventually(lambda: not _runs(server))
    assert session_members(record["pid"]) == []


def test_a_reused_pid_is_not_taken_for_the_replica(world):
    world.start(spec("reused"))
    world_files = files_of(world, "reused")
    bystander = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with bystander:
        record = record_of(world, "reused")
        os.kill(record["pid"], signal.SIGTERM)
        eventually(lambda: ended(world, "reused"))
        (world_files / launcher.EXIT).unlink()
        launcher.write_json(world_files / launcher.REPLICA, {**record, "pid": bystander.pid})

        assert world.runtime.find("reused").status is Status.EXITED
        world.runtime.stop("reused", grace_seconds=0)
        assert bystander.poll() is None

        bystander.kill()


def test_a_replica_from_before_a_reboot_has_exited_and_nobody_is_killed_for_it(world):
    world.start(spec("rebooted"))
    record = record_of(world, "rebooted")
    path = files_of(world, "rebooted") / launcher.REPLICA
    launcher.write_json(path, {**record, "boot": "another"})

    assert world.runtime.find("rebooted").status is Status.EXITED

    world.runtime.stop("rebooted", grace_seconds=0)
    assert launcher.is_alive(record)
    os.kill(record["pid"], signal.SIGTERM)
    eventually(lambda: not launcher.is_alive(record))


def test_what_a_server_started_ends_with_it(world):
    script = (
        "import subprocess, time\n"
        "print(subprocess.Popen(['sleep', '600']).pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    world.start(spec("family", arguments=["python", "-c", script]))
    child = int(eventually(lambda: said(world.runtime, "family").strip()))

    world.runtime.stop("family", grace_seconds=5)

    eventually(lambda: not _runs(child))


def test_a_model_that_ignores_sigterm_is_killed_after_the_grace(world):
    environment = {**worlds.ENVIRONMENT, "RW_MODEL_OPTIONS": json.dumps({"ignore_sigterm": True})}
    started = ready(world.start(spec("stubborn", environment=environment)))
    server = ask(started, "/echo", {})[1]["pid"]

    world.runtime.stop("stubborn", grace_seconds=0.2)

    eventually(lambda: not _runs(server))
    assert world.runtime.find("stubborn") is None


def test_a_slow_stop_does_not_keep_another_replica_from_starting(world):
    environment = {**worlds.ENVIRONMENT, "RW_MODEL_OPTIONS": json.dumps({"ignore_sigterm": True})}
    slow = ready(world.start(spec("slow-to-go", environment=environment)))
    stopping = threading.Thread(
        target=world.runtime.stop, args=("slow-to-go",), kwargs={"grace_seconds": 30}
    )
    stopping.start()

    ready(world.start(spec("meanwhile")))

    assert stopping.is_alive()
    world.end(slow)
    stopping.join()


def test_a_command_that_is_not_there_is_told_and_leaves_nothing(world):
    with pytest.raises(ReplicaFailed, match="nonsense"):
        world.start(spec("wrong", arguments=["nonsense"]))

    assert world.runtime.find("wrong") is None
    assert not files_of(world, "wrong").exists()


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-a", "x" * 64, ".locks"])
def test_a_name_never_leads_out_of_the_folder(world, name):
    with pytest.raises(ReplicaFailed):
        world.runtime.start(spec(name))


def test_an_image_needs_a_container_engine_and_is_told_so(world):
    with pytest.raises(ReplicaFailed, match="install Docker"):
        world.start(spec("image", image="ghcr.io/team/model:1"))


def test_the_worker_keeps_its_secrets_and_the_model_its_loopback(world, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://hush")
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    world.start(spec("secrets", arguments=["python", "-c", script]))
    eventually(lambda: ended(world, "secrets"))

    environment = json.loads(said(world.runtime, "secrets"))

    assert "hush" not in str(environment)
    assert environment["RW_HOST"] == "127.0.0.1"
    assert environment["HOME"].startswith(str(world.state_dir))


def test_the_log_stays_small_however_much_is_said(world):
    script = (
        "for n in range(60000):\n    print(f'{n} ' + 'x' * 90)\n"
        "import time; print('last'); time.sleep(600)\n"
    )
    world.start(spec("chatty", arguments=["python", "-c", script]))
    eventually(lambda: said(world.runtime, "chatty").endswith("last\n"))

    written = sum(each.stat().st_size for each in files_of(world, "chatty").glob("log*"))

    assert 1024 * 1024 < written <= 2 * 1024 * 1024
    assert len(said(world.runtime, "chatty").splitlines()) > 5_000


def test_memory_without_end_is_refused_and_the_machine_goes_on(world):
    script = "hog = [bytearray(b'x' * 1048576) for _ in range(4000)]"
    small = Resources(memory_mb=64)
    world.start(spec("greedy", arguments=["python", "-c", script], resources=small))

    found = eventually(lambda: ended(world, "greedy"))

    assert found.exit_code == 1
    assert "MemoryError" in said(world.runtime, "greedy")


def test_a_server_killed_by_a_signal_has_the_exit_code_an_engine_would_say(world):
    started = ready(world.start(spec("signal")))
    os.kill(ask(started, "/echo", {})[1]["pid"], signal.SIGKILL)

    assert eventually(lambda: ended(world, "signal")).exit_code == 137


def recipe_of(folder, **changes):
    plain = {
        "slug": "made-up",
        "folder": folder,
        "requirements": (),
        "packages": (),
        "build_steps": (),
        "arguments": ("python", "server.py"),
        "fingerprint": "0123",
    }
    return Recipe(**{**plain, **changes})


def test_a_build_step_that_fails_ends_with_what_it_said_and_leaves_no_build(tmp_path):
    runtime = ProcessRuntime(installation="test", state_dir=tmp_path / "state")
    (tmp_path / "source").mkdir()
    step = ("python", "-c", "print('halfway'); raise SystemExit('no more room')")
    recipe = recipe_of(tmp_path / "source", build_steps=(step,))

    with pytest.raises(BuildFailed, match=r"(?s)halfway.*no more room"):
        runtime.build(recipe, progress=lambda *_: None)

    assert not runtime.is_built(recipe)
    with pytest.raises(ReplicaFailed, match="isn't built yet"):
        runtime.start(spec("early", image="catalogue:made-up"))


def test_two_that_build_at_once_build_once(tmp_path):
    (tmp_path / "source").mkdir()
    counted = tmp_path / "count"
    step = ("python", "-c", f"open({str(counted)!r}, 'a').write('built ')")
    recipe = recipe_of(tmp_path / "source", build_steps=(step,))
    runtimes = [ProcessRuntime(installation="test", state_dir=tmp_path / "state") for _ in "ab"]
    builders = [
        threading.Thread(target=each.build, args=(recipe,), kwargs={"progress": lambda *_: None})
        for each in runtimes
    ]

    for each in builders:
        each.start()
    for each in builders:
        each.join()

    assert counted.read_text() == "built "
    assert runtimes[0].is_built(recipe)


def test_going_back_to_an_older_recipe_starts_the_older_one(tmp_path):
    runtime = ProcessRuntime(installation="test", state_dir=tmp_path / "state")
    (tmp_path / "source").mkdir()
    older = recipe_of(tmp_path / "source", fingerprint="older")
    newer = recipe_of(tmp_path / "source", fingerprint="newer")
    runtime.build(older, progress=lambda *_: None)
    runtime.build(newer, progress=lambda *_: None)

    assert not runtime.is_built(older)
    runtime.build(older, progress=lambda *_: None)
    assert runtime.is_built(older)
