"""The whole system on a cluster of three nodes: two die in turn, and who waits is served."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import docker
import pytest

from tests import cluster
from tests.cluster import Nodes
from tests.e2e.conftest import free_port
from tests.e2e.stack import Hosted, Stack, eventually

pytestmark = pytest.mark.docker

ECHO = {"protocol": "runway", "port": 9000, "command": "echo", "memory_mb": 128, "cpus": 0.5}
CALLERS = 6
WAITING = 20


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with cluster.three_nodes() as nodes:
        yield nodes


@pytest.fixture(scope="module")
def stack(nodes: Nodes, manager: docker.APIClient, folder: Path) -> Iterator[Stack]:
    stack = Stack(
        folder / "s",
        port=free_port(),
        runtime="swarm",
        base_domain="localhost",
        settings={"DOCKER_HOST": nodes.manager},
    )
    stack.start()
    yield stack
    assert stack.stop() == 0


@pytest.fixture(scope="module")
def manager(nodes: Nodes) -> Iterator[docker.APIClient]:
    manager = docker.APIClient(nodes.manager)
    # A name of its own: the system builds its catalogue, under the name that was copied here.
    manager.tag(nodes.image, "on-every-node", tag="1")
    yield manager
    manager.close()


@pytest.fixture
def echo(manager: docker.APIClient, stack: Stack) -> Hosted:
    return stack.host(revision={**ECHO, "image": "on-every-node:1"})


@pytest.fixture
def slow(manager: docker.APIClient, stack: Stack) -> Hosted:
    loading = {"options": {"setup_seconds": 5}}
    return stack.host(revision={**ECHO, **loading, "image": "on-every-node:1"})


def make_available(manager: docker.APIClient, hostname: str, availability: str) -> None:
    """Place more on this node ("active"), or nothing more ("pause")."""
    node = manager.inspect_node(hostname)
    spec = {**node["Spec"], "Availability": availability}
    manager.update_node(node["ID"], node["Version"]["Index"], cast(Any, spec))
    time.sleep(1.2)  # what a worker knows of the nodes may be a second old


def nodes_with_replicas(manager: docker.APIClient) -> list[str]:
    """The hostnames of the nodes that run one, one for each."""
    up = {each["ID"]: each for each in manager.nodes() if each["Status"]["State"] == "ready"}
    return [
        up[each["NodeID"]]["Description"]["Hostname"]
        for each in manager.tasks()
        if each["Status"]["State"] == "running" and each["NodeID"] in up
    ]


def node_of_the_replica(manager: docker.APIClient) -> str:
    """The hostname of the node that runs the only one."""
    (place,) = nodes_with_replicas(manager)
    return place


def test_a_model_wakes_on_the_node_that_has_its_image(
    manager: docker.APIClient, stack: Stack, echo: Hosted
) -> None:
    for roomier in ("node2", "node3"):
        make_available(manager, roomier, "pause")
    assert echo.query(text="on the manager").status_code == 200
    for roomier in ("node2", "node3"):
        make_available(manager, roomier, "active")
    generator = stack.host("text-generator")  # only the manager's engine has built it

    answer = generator.query(prompt="Once", max_characters=20)

    assert answer.status_code == 200, answer.text
    assert nodes_with_replicas(manager) == ["node1", "node1"]
    for each in (echo, generator):
        each.sleep()
    eventually(lambda: not nodes_with_replicas(manager))


def test_a_node_that_dies_amid_a_wake_loses_no_held_request(
    nodes: Nodes, manager: docker.APIClient, slow: Hosted
) -> None:
    make_available(manager, "node1", "pause")  # the manager's death would be the cluster's own
    with ThreadPoolExecutor(WAITING) as callers:
        waiting = [callers.submit(slow.query, text=str(number)) for number in range(WAITING)]
        eventually(lambda: bool(nodes_with_replicas(manager)))
        node = node_of_the_replica(manager)
        nodes.cut(node)
        answers = [each.result(90) for each in waiting]

    assert [(each.status_code, each.text) for each in answers if each.status_code != 200] == []
    assert slow.moves() == ["awakening", "awake"]
    assert node_of_the_replica(manager) != node
    slow.sleep()
    eventually(lambda: not nodes_with_replicas(manager))  # the engine lists it for a moment


def test_a_node_that_dies_under_load_loses_no_held_request(
    nodes: Nodes, manager: docker.APIClient, echo: Hosted
) -> None:
    make_available(manager, "node1", "pause")
    first = echo.query(text="first")
    assert first.status_code == 200, first.text
    node = node_of_the_replica(manager)
    make_available(manager, "node1", "active")  # it may be the last
    answers: list[tuple[float, int]] = []
    stop = threading.Event()

    def keep_asking(number: int) -> None:
        while not stop.is_set():
            begun = time.monotonic()
            answers.append((begun, echo.query(text=str(number)).status_code))

    with ThreadPoolExecutor(CALLERS) as callers:
        asking = [callers.submit(keep_asking, number) for number in range(CALLERS)]
        eventually(lambda: len(answers) > 60)
        dead_at = time.monotonic()
        nodes.cut(node)
        eventually(
            lambda: len([at for at, _ in list(answers) if at > dead_at + 5]) > 30, seconds=90
        )
        stop.set()
        for each in asking:
            each.result(60)

    # What was inside the model when it died can't be sent again, and is told so; nothing else is.
    assert len([status for _, status in answers if status != 200]) <= CALLERS
    assert {status for begun, status in answers if begun > dead_at + 1} == {200}
    assert node_of_the_replica(manager) != node
    longest = max(after - before for (before, _), (after, _) in pairwise(sorted(answers)))
    assert longest < 60, longest
