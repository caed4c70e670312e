"""The whole system on a cluster of three nodes: one dies under load, and who waits is served."""

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


def close(manager: docker.APIClient, hostname: str) -> None:
    """Place nothing more on this node."""
    node = manager.inspect_node(hostname)
    spec = {**node["Spec"], "Availability": "pause"}
    manager.update_node(node["ID"], node["Version"]["Index"], cast(Any, spec))


def node_of_the_replica(manager: docker.APIClient) -> str:
    """The hostname of the node that runs the only one."""
    up = {each["ID"]: each for each in manager.nodes() if each["Status"]["State"] == "ready"}
    (place,) = (
        up[each["NodeID"]]["Description"]["Hostname"]
        for each in manager.tasks()
        if each["Status"]["State"] == "running" and each["NodeID"] in up
    )
    return str(place)


def test_a_node_that_dies_under_load_loses_no_held_request(
    nodes: Nodes, manager: docker.APIClient, echo: Hosted
) -> None:
    close(manager, "node1")  # the manager's death would be the cluster's own
    first = echo.query(text="first")
    assert first.status_code == 200, first.text
    node = node_of_the_replica(manager)
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
