"""What every runtime promises, the fake included: one suite, so that the fake can't lie."""

import json
import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hosting import catalogue
from hosting.errors import ReplicaFailed
from hosting.runtimes.base import Status
from tests import cluster, worlds
from tests.worlds import eventually, said, spec


@pytest.fixture(
    scope="module",
    params=[
        "fake",
        "process",
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("swarm", marks=pytest.mark.docker),
    ],
)
def shared_world(request, tmp_path_factory):
    if request.param == "fake":
        yield worlds.FakeWorld()
        return
    if request.param == "swarm":
        with cluster.three_nodes() as nodes:
            yield worlds.swarm_world(nodes.state_dir, address=nodes.manager)
        return
    make = worlds.docker_world if request.param == "docker" else worlds.process_world
    world = make(tmp_path_factory.mktemp(request.param) / "state")
    world.runtime.build(catalogue.recipe(worlds.ECHO), progress=lambda *_: None)
    yield world
    if request.param == "docker":
        world.runtime.remove_network()


@pytest.fixture
def world(shared_world):
    yield shared_world
    shared_world.clean()


def test_a_replica_that_was_never_started_is_not_there(world):
    assert world.runtime.find("replica-1") is None
    assert said(world.runtime, "replica-1") == ""


def test_stopping_what_is_not_there_is_success(world):
    world.runtime.stop("replica-1")
    world.runtime.stop("replica-1")

    assert world.runtime.find("replica-1") is None


@pytest.mark.parametrize("image", ["no-such-image:1", "catalogue:nothing"])
def test_an_image_that_is_missing_is_told_and_leaves_nothing(world, image):
    with pytest.raises(ReplicaFailed):
        world.start(spec("replica-2", image=image))

    assert world.runtime.find("replica-2") is None
    assert world.runtime.replicas() == []


def test_starting_twice_finds_the_first(world):
    first = world.start(spec("replica-3"))
    again = world.start(spec("replica-3"))

    assert (again.name, again.host, again.port) == (first.name, first.host, first.port)
    assert len(world.runtime.replicas()) == 1


def test_eight_workers_that_start_one_replica_start_one(world):
    with ThreadPoolExecutor(8) as workers:
        found = list(workers.map(lambda _: world.start(spec("replica-4")), range(8)))

    assert len({(each.host, each.port) for each in found}) == 1
    assert len(world.runtime.replicas()) == 1


def test_replicas_of_several_names_have_addresses_of_their_own(world):
    found = [world.start(spec(f"replica-5-{number}")) for number in range(3)]

    assert len({(each.host, each.port) for each in found}) == 3
    assert all(each.host and each.port for each in found)
    assert {each.name for each in world.runtime.replicas()} == {each.name for each in found}
    for each in found:
        world.runtime.stop(each.name, grace_seconds=1)
    assert world.runtime.replicas() == []


def test_a_restarted_worker_finds_what_runs(world):
    started = world.start(spec("replica-6"))

    found = world.reopened().find("replica-6")

    assert found == started
    assert found.status is Status.RUNNING
    assert found.labels == {"model": "17"}


def test_a_restarted_worker_does_not_start_a_second(world):
    started = world.start(spec("replica-7"))

    again = world.reopened().start(spec("replica-7"))

    assert (again.host, again.port) == (started.host, started.port)


def test_another_installation_sees_and_takes_nothing_of_ours(world):
    ours = world.start(spec("replica-8"))
    theirs = world.neighbour()

    assert theirs.find("replica-8") is None
    assert theirs.replicas() == []
    theirs.stop("replica-8")
    assert world.runtime.find("replica-8") == ours


def test_two_installations_may_use_one_name(world):
    ours = world.start(spec("replica-9"))
    theirs = world.start(spec("replica-9"), runtime=world.neighbour())

    assert ours.name == theirs.name
    assert len(world.runtime.replicas()) == len(world.neighbour().replicas()) == 1


def test_a_replica_that_ended_by_itself_is_remembered_with_its_exit_code(world):
    started = world.start(spec("replica-10"))
    world.end(started)

    def ended():
        found = world.runtime.find("replica-10")
        return found if found and found.status is Status.EXITED else None

    found = eventually(ended)
    assert found.exit_code == 3
    assert found.out_of_memory is False
    assert found.host is None
    assert world.runtime.replicas() == [found]


def test_a_replica_that_ended_is_not_started_again_under_its_name(world):
    world.end(world.start(spec("replica-11")))
    eventually(lambda: world.runtime.find("replica-11").status is Status.EXITED)

    assert world.start(spec("replica-11")).status is Status.EXITED


def test_a_replica_that_ended_can_be_stopped_and_its_name_used_anew(world):
    world.end(world.start(spec("replica-12")))
    eventually(lambda: world.runtime.find("replica-12").status is Status.EXITED)

    world.runtime.stop("replica-12")

    assert world.runtime.find("replica-12") is None
    assert world.start(spec("replica-12")).status is Status.RUNNING


def test_the_log_is_kept_until_the_replica_is_stopped(world):
    world.start(spec("replica-13"))
    eventually(lambda: "Ready" in said(world.runtime, "replica-13"))

    world.runtime.stop("replica-13", grace_seconds=1)

    assert said(world.runtime, "replica-13") == ""


def test_two_that_stop_one_replica_both_succeed(world):
    world.start(spec("replica-14"))

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(lambda _: world.runtime.stop("replica-14", grace_seconds=1), range(2)))

    assert world.runtime.find("replica-14") is None


def test_a_paused_replica_runs_on_where_it_was(world):
    if not world.runtime.pauses:
        pytest.skip("this runtime can't pause")
    started = world.start(spec("replica-15"))

    world.runtime.pause("replica-15")
    paused = eventually(lambda: world.runtime.find("replica-15").paused)
    resumed = world.runtime.resume("replica-15")

    assert (paused, resumed) == (True, True)
    assert world.runtime.find("replica-15") == started
    world.answers(started)


def test_pausing_and_resuming_may_be_repeated(world):
    world.start(spec("replica-16"))

    for _ in range(2):
        world.runtime.pause("replica-16")
    resumed = [world.runtime.resume("replica-16") for _ in range(2)]

    assert resumed == [True, True]


def test_a_paused_replica_can_be_stopped(world):
    if not world.runtime.pauses:
        pytest.skip("this runtime can't pause")
    world.start(spec("replica-17"))
    world.runtime.pause("replica-17")

    world.runtime.stop("replica-17", grace_seconds=5)

    assert world.runtime.find("replica-17") is None


def test_a_restarted_worker_sees_what_is_paused_and_resumes_it(world):
    if not world.runtime.pauses:
        pytest.skip("this runtime can't pause")
    started = world.start(spec("replica-27"))
    world.answers(started)
    world.runtime.pause("replica-27")

    found = eventually(lambda: (seen := world.reopened().find("replica-27")).paused and seen)
    listed = world.reopened().replicas()
    resumed = world.reopened().resume("replica-27")

    assert listed == [found]
    assert resumed
    assert world.runtime.replicas() == [started]
    world.answers(started)


def test_what_has_ended_or_never_was_can_not_be_resumed(world):
    world.end(world.start(spec("replica-18")))
    eventually(lambda: world.runtime.find("replica-18").status is Status.EXITED)

    world.runtime.pause("replica-18")
    world.runtime.pause("replica-19")

    assert not world.runtime.resume("replica-18")
    assert not world.runtime.resume("replica-19")
    assert world.runtime.find("replica-18").status is Status.EXITED


def test_deaths_are_told_at_once(world):
    if not world.runtime.watches:
        pytest.skip("this runtime tells nothing; the sweep looks")
    heard = queue.Queue()
    world.listen(heard.put)
    started = world.start(spec("replica-20"))

    world.end(started)

    assert heard.get(timeout=10) == "replica-20"


def test_a_build_is_known_by_its_fingerprint(world):
    recipe = catalogue.recipe(worlds.ECHO)
    steps = []

    world.runtime.build(recipe, progress=lambda step, of, doing: steps.append((step, of, doing)))

    assert world.runtime.is_built(recipe)
    assert steps == sorted(steps)
    assert all(1 <= step <= of and doing for step, of, doing in steps)


def test_a_log_has_times_that_rise_and_is_told_from_any_of_them_on(world):
    world.start(spec("replica-21"))
    eventually(lambda: "Ready" in said(world.runtime, "replica-21"))

    lines = list(world.runtime.log("replica-21"))

    times = [each.at for each in lines]
    assert times == sorted(set(times))
    assert list(world.runtime.log("replica-21", after=times[-1])) == []
    assert list(world.runtime.log("replica-21", after=times[-1] - 1)) == lines[-1:]


def test_what_a_replica_wrote_outlives_its_end_but_not_its_removal(world):
    world.start(spec("replica-22"))
    eventually(lambda: "Ready" in said(world.runtime, "replica-22"))

    world.runtime.end("replica-22", grace_seconds=1)
    world.runtime.end("replica-22", grace_seconds=1)

    assert world.runtime.find("replica-22").status is Status.EXITED
    assert "Ready" in said(world.runtime, "replica-22")
    world.runtime.stop("replica-22", grace_seconds=1)
    assert said(world.runtime, "replica-22") == ""


def test_a_followed_log_ends_with_its_replica(world):
    started = world.start(spec("replica-23"))
    heard = []
    following = threading.Thread(
        target=lambda: heard.extend(world.runtime.log("replica-23", follow=True)), daemon=True
    )
    following.start()
    world.end(started)

    following.join(20)

    assert not following.is_alive()
    assert "Ready" in "".join(each.text for each in heard)


def test_the_log_of_what_is_not_there_is_empty_even_when_followed(world):
    assert list(world.runtime.log("replica-24", follow=True)) == []


PRINT_SECRETS = """
import os, stat
folder = os.environ["DORMOUSE_SECRETS"]
for name in sorted(os.listdir(folder)):
    file = os.path.join(folder, name)
    mode = stat.S_IMODE(os.stat(file).st_mode)
    print(name, oct(mode), os.stat(file).st_uid == os.getuid(), len(open(file).read()))
"""


def test_secrets_are_files_only_the_model_may_read_and_go_with_it(world):
    if world.runtime.name == "fake":
        pytest.skip("the fake writes no files")
    files = {"token": "hush", "key.pem": "-----BEGIN-----\n"}
    wanted = spec("replica-25", files=files, arguments=["python", "-c", PRINT_SECRETS])
    world.start(wanted)

    eventually(lambda: len(said(world.runtime, "replica-25").splitlines()) == 2)

    assert said(world.runtime, "replica-25") == "key.pem 0o400 True 16\ntoken 0o400 True 4\n"
    assert list(world.secret_folders())
    world.runtime.stop("replica-25", grace_seconds=0)
    assert not list(world.secret_folders())


def test_a_variable_of_a_replica_is_in_no_file_of_ours(world):
    secret = "a-planted-variable"
    world.start(spec("replica-26", environment={**worlds.ENVIRONMENT, "TOKEN": secret}))
    eventually(lambda: "Ready" in said(world.runtime, "replica-26"))

    assert world.found_on_disk(secret) == []


def test_one_run_returns_what_was_printed_and_is_no_replica(world):
    wanted = spec("describe-1", environment={**worlds.ENVIRONMENT, "RW_META": "1"})
    if world.runtime.name == "fake":
        world.runtime.outputs[wanted.image] = '{"commands": [], "options": []}\n'

    manifest = json.loads(world.runtime.output_of(wanted, seconds=30))

    assert {"commands", "options"} <= set(manifest)
    assert world.runtime.replicas() == []


def test_one_run_that_fails_or_does_not_end_is_told_and_leaves_nothing(world):
    fails = spec("describe-2", arguments=["python", "-c", "raise SystemExit(3)"])
    stays = spec("describe-3", arguments=["python", "-c", "import time; time.sleep(600)"])
    if world.runtime.name == "fake":
        world.runtime.outputs.clear()

    for wanted in (fails, stays):
        with pytest.raises(ReplicaFailed):
            world.runtime.output_of(wanted, seconds=2)

    assert world.runtime.replicas() == []
