"""What only the docker driver does: faults of the engine, images, signals, leftovers."""

import functools
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import docker
import pytest
from docker.types import HostConfig

from hosting import catalogue
from hosting.errors import ReplicaFailed, RuntimeUnavailable
from hosting.runtimes import cgroup_freezer, docker_box, docker_once, registry
from hosting.runtimes.base import Resources, Status
from hosting.runtimes.docker import DockerRuntime
from hosting.runtimes.docker_freezer import DockerFreezer
from hosting.runtimes.docker_images import DockerImages
from tests import worlds
from tests.worlds import ask, eventually, ready, said, spec

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def engine():
    client = docker.from_env()
    yield client
    client.close()


def everything(runtime):
    return [
        lambda: runtime.find("nobody"),
        lambda: runtime.replicas(),
        lambda: runtime.stop("nobody"),
        lambda: list(runtime.log("nobody")),
        lambda: runtime.start(spec("nobody", image="busybox:1")),
    ]


@pytest.mark.parametrize("call", range(5))
def test_an_engine_that_is_not_there_is_told_as_such(tmp_path, call):
    runtime = DockerRuntime(
        installation="gone", state_dir=tmp_path, address=f"unix://{tmp_path}/none.sock"
    )

    with pytest.raises(RuntimeUnavailable, match="Start Docker"):
        everything(runtime)[call]()


def test_auto_falls_back_to_processes_where_no_engine_answers(tmp_path):
    nowhere = f"unix://{tmp_path}/none.sock"

    made = registry.runtime("auto", installation="auto", state_dir=tmp_path, engine_address=nowhere)

    assert made.name == "process"
    assert registry.runtime("auto", installation="auto", state_dir=tmp_path).name == "docker"


@pytest.mark.parametrize("image", ["Not An Image", "-v/:/host", "a b", "x" * 300, "busybox;rm"])
def test_what_is_no_reference_never_reaches_the_engine(docker_world, image):
    with pytest.raises(ReplicaFailed, match="isn't an image reference"):
        docker_world.start(spec("odd", image=image))


def test_a_registry_that_cannot_be_reached_is_told_with_what_to_do(docker_world):
    with pytest.raises(ReplicaFailed, match="could not be pulled"):
        docker_world.start(spec("far", image="127.0.0.1:9/team/model:1"))

    assert docker_world.runtime.find("far") is None


def test_a_command_that_is_not_there_is_an_exit_that_says_so(docker_world):
    docker_world.start(spec("wrong", arguments=["nonsense"]))

    found = eventually(
        lambda: (seen := docker_world.runtime.find("wrong")).status is Status.EXITED and seen
    )

    assert found.exit_code == 127
    assert "nonsense" in said(docker_world.runtime, "wrong")


def test_a_worker_that_died_between_create_and_start_is_carried_on_from(docker_world, engine):
    image = docker_world.runtime._images.resolve(worlds.ECHO.image)
    docker_world.runtime._network.ensure()
    docker_world.runtime._create(image, spec("half"))

    assert docker_world.runtime.find("half") is None

    assert ready(docker_world.start(spec("half"))).status is Status.RUNNING


def test_a_network_that_vanished_is_made_again(docker_world):
    docker_world.start(spec("before"))
    docker_world.runtime.stop("before", grace_seconds=0)
    another_process = docker_world.reopened()
    another_process.remove_network()

    assert ready(docker_world.start(spec("after"))).status is Status.RUNNING


def test_sigterm_ends_a_model_at_once(docker_world):
    ready(docker_world.start(spec("polite")))
    begun = time.monotonic()

    docker_world.runtime.stop("polite", grace_seconds=10)

    assert time.monotonic() - begun < 5
    assert docker_world.runtime.find("polite") is None


def test_a_model_that_ignores_sigterm_is_killed_after_the_grace(docker_world):
    environment = {**worlds.ENVIRONMENT, "RW_MODEL_OPTIONS": json.dumps({"ignore_sigterm": True})}
    ready(docker_world.start(spec("stubborn", environment=environment)))

    docker_world.runtime.stop("stubborn", grace_seconds=1)

    assert docker_world.runtime.find("stubborn") is None


def test_a_container_that_was_killed_by_somebody_is_seen_as_exited(docker_world, engine):
    ready(docker_world.start(spec("killed")))
    engine.api.kill(docker_world.runtime._container("killed"))

    found = eventually(
        lambda: (seen := docker_world.runtime.find("killed")).status is Status.EXITED and seen
    )

    assert found.exit_code == 137
    assert found.out_of_memory is False


def test_a_container_that_somebody_removed_is_gone(docker_world, engine):
    ready(docker_world.start(spec("removed")))
    engine.api.remove_container(docker_world.runtime._container("removed"), force=True)

    assert docker_world.runtime.find("removed") is None
    docker_world.runtime.stop("removed")


def test_twelve_starts_at_once_all_answer(docker_world):
    with ThreadPoolExecutor(12) as workers:
        found = list(workers.map(lambda n: ready(docker_world.start(spec(f"many-{n}"))), range(12)))

    assert len({each.host for each in found}) == 12


def test_an_image_of_somebody_else_runs_by_its_own_name(docker_world):
    image = docker_world.runtime._images.resolve(worlds.ECHO.image)

    plain = ready(docker_world.start(spec("plain", image=image)))

    assert ask(plain, "/echo", {"text": "by tag"})[1]["text"] == "by tag"


def test_the_label_of_an_installation_keeps_others_out(docker_world, engine):
    docker_world.start(spec("labelled"))

    box = engine.api.inspect_container(docker_world.runtime._container("labelled"))

    assert box["Config"]["Labels"]["dormouse.installation"] == f"test-{os.getpid()}"
    assert box["Config"]["Labels"]["dormouse.replica"] == "labelled"


def test_a_model_that_asks_for_gpus_gets_devices_of_its_own():
    def devices(**resources):
        asked_for = docker_box.walls(spec("gpu", resources=Resources(**resources)))
        return HostConfig(version="1.41", **asked_for).get("DeviceRequests")

    assert devices() is None
    (asked,) = devices(gpus=2)
    assert (asked["Count"], asked["Capabilities"]) == (2, [["gpu"]])


@pytest.fixture
def held(docker_world):
    """A key under which the network is kept."""
    docker_world.runtime.hold(["m1"])
    yield "m1"
    docker_world.runtime.hold([])


def test_a_model_whose_network_is_kept_has_the_same_address_after_a_sleep(docker_world, held):
    first = ready(docker_world.start(spec("held-1", holder=held)))
    docker_world.runtime.stop("held-1", grace_seconds=1)

    again = ready(docker_world.start(spec("held-2", holder=held)))

    assert (first.host, first.port) == (again.host, again.port)
    assert docker_world.runtime.find("held-2") == again
    assert docker_world.runtime.replicas() == [again]


def test_holders_that_are_no_longer_wanted_are_removed(docker_world, held, engine):
    docker_world.runtime.hold(["m2", "m3"])

    mine = {"label": f"dormouse.holder={docker_world.runtime.installation}"}
    kept = engine.api.containers(all=True, filters=mine)

    assert sorted(each["Labels"]["dormouse.holder.of"] for each in kept) == ["m2", "m3"]


def test_a_holder_may_have_the_processes_that_starting_it_takes(docker_world, held, engine):
    made = engine.api.inspect_container(docker_world.runtime._holders._name(held))

    assert made["HostConfig"]["PidsLimit"] >= 32  # with 4, some starts on a busy machine failed


def test_a_model_starts_without_a_holder_where_there_is_none(docker_world):
    assert ready(docker_world.start(spec("cold", holder="m9"))).status is Status.RUNNING


def test_a_replica_whose_holder_is_gone_counts_as_ended(docker_world, held, engine):
    ready(docker_world.start(spec("cut-off", holder=held)))
    engine.api.remove_container(docker_world.runtime._holders._name(held), force=True)

    assert docker_world.runtime.find("cut-off").status is Status.EXITED
    assert [each.status for each in docker_world.runtime.replicas()] == [Status.EXITED]


def by_the_engine(runtime, folder):
    """The same, as for a worker that can't reach the kernel's freezer."""
    runtime._freezer = DockerFreezer(runtime._engine, cgroups=folder)
    return runtime


def stands_still(observed):
    try:
        ask(observed, "/healthcheck", timeout=0.5)
    except TimeoutError:
        return True
    return False


def paused_by_the_engine(docker_world, engine, name):
    found = engine.api.inspect_container(docker_world.runtime._container(name))
    return found["State"]["Paused"]


kernel = pytest.mark.skipif(
    not cgroup_freezer.obeys(), reason="only root on the engine's machine tells the kernel"
)


@kernel
def test_a_paused_model_stands_still_and_the_engine_was_not_asked(docker_world, engine):
    started = ready(docker_world.start(spec("still")))

    docker_world.runtime.pause("still")
    still = stands_still(started)
    seen = docker_world.runtime.find("still"), *docker_world.reopened().replicas()
    resumed = docker_world.reopened().resume("still")

    assert not paused_by_the_engine(docker_world, engine, "still")
    assert [each.paused for each in seen] == [True, True]
    assert (still, resumed) == (True, True)
    assert ask(started, "/healthcheck")[0] == 200


def test_where_the_kernel_is_out_of_reach_the_engine_pauses(docker_world, engine, tmp_path):
    runtime = by_the_engine(docker_world.reopened(), tmp_path)
    started = ready(docker_world.start(spec("asked")))

    runtime.pause("asked")
    paused = paused_by_the_engine(docker_world, engine, "asked")
    seen = runtime.find("asked").paused, docker_world.runtime.find("asked").paused
    resumed = runtime.resume("asked")

    assert (paused, seen, resumed) == (True, (True, True), True)
    assert ask(started, "/healthcheck")[0] == 200


def test_what_an_earlier_version_paused_by_the_engine_is_resumed(docker_world, engine):
    started = ready(docker_world.start(spec("older")))
    engine.api.pause(docker_world.runtime._container("older"))

    resumed = docker_world.reopened().resume("older")

    assert resumed
    assert not paused_by_the_engine(docker_world, engine, "older")
    assert ask(started, "/healthcheck")[0] == 200


@kernel
def test_what_the_engine_paused_since_we_looked_is_resumed_and_stopped(docker_world, engine):
    started = ready(docker_world.start(spec("since")))
    engine.api.pause(docker_world.runtime._container("since"))

    assert docker_world.runtime.resume("since")
    assert ask(started, "/healthcheck")[0] == 200
    assert not docker_world.runtime.find("since").paused
    docker_world.runtime.stop("since", grace_seconds=10)
    assert docker_world.runtime.find("since") is None


@pytest.mark.parametrize("ending", ["end", "stop"])
def test_a_paused_model_hears_sigterm(docker_world, ending):
    ready(docker_world.start(spec("heard")))
    docker_world.runtime.pause("heard")
    begun = time.monotonic()

    getattr(docker_world.reopened(), ending)("heard", grace_seconds=10)

    assert time.monotonic() - begun < 5
    left = docker_world.runtime.find("heard")
    assert left is None or left.status is Status.EXITED


@kernel
def test_a_frozen_model_that_an_operator_kills_has_ended(docker_world, engine):
    ready(docker_world.start(spec("shot")))
    docker_world.runtime.pause("shot")

    engine.api.kill(docker_world.runtime._container("shot"))
    eventually(lambda: docker_world.runtime.find("shot").status is Status.EXITED)

    assert not docker_world.runtime.resume("shot")
    assert docker_world.runtime.find("shot").exit_code == 137


@pytest.mark.parametrize("unified", ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"])
def test_the_second_version_of_control_groups_freezes_too(docker_world, unified):
    started = ready(docker_world.start(spec("second")))
    box = docker_world.runtime._engine.client.inspect_container(
        docker_world.runtime._container("second")
    )
    freezer = cgroup_freezer.find(box["Id"], root=Path(unified))
    if freezer is None or freezer.version.switch != "cgroup.freeze":
        pytest.skip("no container's group of version 2 there")

    froze = freezer.freeze(), freezer.is_frozen(), stands_still(started)
    thawed = freezer.thaw(), freezer.is_frozen()

    assert (froze, thawed) == ((True, True, True), (True, False))
    assert ask(started, "/healthcheck")[0] == 200


def test_of_workers_that_build_the_same_at_once_the_first_names_the_image(
    engine, tmp_path, monkeypatch
):
    """A registry and other nodes have the image of one ID: a name that moves on loses them."""
    recipe = replace(catalogue.recipe(worlds.ECHO), fingerprint=f"{os.getpid():016x}")
    workers = [DockerRuntime(installation="x", state_dir=tmp_path / each) for each in "ab"]
    packing, packed = threading.Barrier(2), []
    real_pack, name = DockerImages._pack, f"dormouse/echo:{recipe.fingerprint}"

    def pack(*arguments):
        packing.wait(60)  # both have seen that there is none
        image = real_pack(*arguments)
        packed.append(image)
        if image != packed[0]:  # the first one has named its own by the time this one is done
            eventually(lambda: engine.api.images(name))
        return image

    monkeypatch.setattr(DockerImages, "_pack", pack)
    fresh = functools.partialmethod(docker.APIClient.build, nocache=True)
    monkeypatch.setattr(docker.APIClient, "build", fresh)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: each.build(recipe, progress=lambda *_: None), workers))
    named = engine.api.inspect_image(name)["Id"]
    workers[1].build(recipe, progress=lambda *_: None)  # packs nothing: the barrier would break

    assert len(set(packed)) == 2
    assert named == packed[0]
    engine.api.remove_image(name, force=True)
    assert packed[1] not in [each["Id"] for each in engine.api.images()]


def test_a_label_of_an_image_is_read_without_running_it(docker_world, engine):
    asked = spec("labelled")

    assert docker_world.runtime.label_of(asked, "dormouse.catalogue") == "echo"
    assert docker_world.runtime.label_of(asked, "run.cog.openapi_schema") == ""
    assert docker_world.runtime.find("labelled") is None
    with pytest.raises(ReplicaFailed, match="isn't on this machine"):
        docker_world.runtime.label_of(spec("x", image="not-there:1"), "any")


def test_one_run_whose_worker_died_is_cleared_away_once_nobody_can_wait_for_it(
    docker_world, engine, monkeypatch
):
    runtime = docker_world.runtime
    monkeypatch.setattr(docker_once, "_remove", lambda *_: None)  # it dies before
    wanted = spec("once", environment={**worlds.ENVIRONMENT, "RW_META": "1"})
    runtime.output_of(wanted, seconds=30)
    with pytest.raises(ReplicaFailed, match="did not end"):
        runtime.output_of(wanted, seconds=-100)
    monkeypatch.undo()
    label = f"{docker_once.ONCE}={runtime.installation}"
    before = engine.containers.list(all=True, filters={"label": label})

    runtime.hold([])

    left = engine.containers.list(all=True, filters={"label": label})
    seconds = [each.labels["dormouse.seconds"] for each in left]
    for each in before:
        with suppress(docker.errors.NotFound):
            each.remove(force=True)
    assert (len(before), seconds) == (2, ["30"])


def test_two_workers_that_run_one_image_at_once_both_hear_what_it_says(docker_world):
    wanted = spec("twice", environment={**worlds.ENVIRONMENT, "RW_META": "1"})
    with ThreadPoolExecutor(4) as workers:
        runs = [
            workers.submit(docker_world.runtime.output_of, wanted, seconds=60) for _ in range(4)
        ]

        assert len({each.result() for each in runs}) == 1
