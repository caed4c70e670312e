"""On the nodes of a cluster: what a hostile model tries fails there, too, and what a node tells."""

import json
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from hosting.errors import ReplicaFailed
from hosting.runtimes.base import Resources
from tests import cluster, worlds
from tests.docker.neighbourhood import (
    Elsewhere,
    as_seen_by_a_model,
    dialled,
    ended,
    host_addresses,
    host_addresses_six,
    outcomes_in,
)
from tests.worlds import ask, eventually, ready, said, spec

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

HOSTILE = (Path(__file__).parent / "hostile.py").read_text()
SERVE = """
import socket
here = socket.create_server(("::", 4400), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    here.accept()[0].close()
"""
DIAL = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"
NODE = "dmnode2"


@pytest.fixture(scope="module")
def nodes():
    with cluster.three_nodes() as nodes:
        yield nodes


@pytest.fixture
def world(nodes):
    world = worlds.swarm_world(nodes.state_dir, address=nodes.manager)
    yield world
    world.clean()


@pytest.fixture
def second(nodes):
    """The engine of the node that everything here runs on, and the node's id."""
    engine = docker.APIClient(f"unix://{nodes.folder}/2/docker.sock")
    yield engine, engine.info()["Swarm"]["NodeID"]
    engine.close()


@pytest.fixture
def elsewhere():
    """Another machine, which the nodes reach through this one."""
    ways = []
    with Elsewhere() as machine:
        for one, other in (("dmnodes", machine.link), (machine.link, "dmnodes")):
            ways.append(["FORWARD", "-i", one, "-o", other, "-j", "ACCEPT"])
            subprocess.run(["iptables", "-w", "-I", *ways[-1]], check=True, capture_output=True)
        yield machine
        for each in ways:
            subprocess.run(["iptables", "-w", "-D", *each], check=True, capture_output=True)


@pytest.fixture
def node_service():
    """Something of the node's own that listens on all its addresses."""
    server = subprocess.Popen(["ip", "netns", "exec", NODE, sys.executable, "-c", SERVE])
    eventually(lambda: dialled("10.83.0.12", 4400))
    yield 4400
    server.kill()
    server.wait()


def from_the_node(address, port):
    """Whether the node itself gets there: then it is the walls that keep a model from it."""
    dial = ["ip", "netns", "exec", NODE, sys.executable, "-c", DIAL, address, str(port)]
    return subprocess.run(dial, capture_output=True).returncode == 0


def the_only_one(engine, name):
    """A container, once an earlier one of its name, whose service is gone, has ended, too."""
    found = engine.containers(filters={"label": f"dormouse.replica={name}"})
    return found if len(found) == 1 else None


def address_inside(engine, name):
    """Where a container is on its node's bridge, and on which."""
    containers = eventually(lambda: the_only_one(engine, name))
    ((network, about),) = containers[0]["NetworkSettings"]["Networks"].items()
    return network, about["IPAddress"]


@pytest.mark.parametrize("internet", [False, True], ids=["at home", "let out"])
def test_a_hostile_model_on_a_node_gets_nowhere_it_may_not(
    world, second, elsewhere, node_service, internet
):
    engine, node = second
    victims = {
        name: ready(world.start(spec(name, node=node, internet=way)))
        for name, way in (("indoors", False), ("outdoors", True))
    }
    inside = {name: address_inside(engine, name) for name in victims}
    targets = {
        # The engine of a manager, this host as the router sees it, the node and its bridges.
        "host": [
            ["10.83.0.11", 2377],
            *([each, node_service] for each in host_addresses(netns=NODE)),
        ],
        "six": [
            [as_seen_by_a_model(each), node_service] for each in host_addresses_six(netns=NODE)
        ],
        "near": [
            *([each, elsewhere.PORT] for each in elsewhere.NEAR),
            *([each, 9000] for _, each in inside.values()),
            [victims["indoors"].host, victims["indoors"].port],
        ],
        "neighbour": [victims["outdoors"].host, victims["outdoors"].port],
        "internet": [elsewhere.INTERNET, elsewhere.PORT],
        "names": [elsewhere.INTERNET, 53],
        "hostname": "node2",
    }
    targets["rebind"] = [targets["internet"], *targets["host"], *targets["near"]]
    there = [*targets["host"], *targets["near"], targets["neighbour"], targets["internet"]]
    assert [each for each in there if not from_the_node(*each)] == []

    arguments = ["python", "-c", HOSTILE, json.dumps(targets)]
    world.start(spec("hostile", node=node, internet=internet, arguments=arguments))
    eventually(lambda: ended(world, "hostile"), within_seconds=60)

    outcomes = outcomes_in(said(world.runtime, "hostile"))
    name = f"follow a name to {elsewhere.INTERNET}:{elsewhere.PORT}"
    allowed = {"connect to the internet", name} if internet else set()
    assert {each for each, outcome in outcomes.items() if outcome == "DONE"} == allowed
    assert len(outcomes) > 25
    assert [network for network, _ in inside.values()] == ["bridge", "dormouse-internet"]


def test_every_wall_is_there_as_the_node_sees_it(world, second):
    engine, node = second
    ready(world.start(spec("walls", node=node)))
    (found,) = the_only_one(engine, "walls")

    box = engine.inspect_container(found["Id"])

    host = box["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] is None
    assert host["Privileged"] is False
    assert host["Memory"] == 128 * 1024 * 1024
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 64
    assert host["Init"] is True
    assert host["Binds"] is None
    assert [each["Destination"] for each in box["Mounts"]] == ["/tmp"]
    assert [(each["Type"], each["Target"]) for each in host["Mounts"]] == [("tmpfs", "/tmp")]
    assert host["Mounts"][0]["TmpfsOptions"]["SizeBytes"] == 64 * 1024 * 1024
    assert host["LogConfig"]["Config"] == {"max-size": "1m", "max-file": "2"}
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert [(each["Name"], each["Hard"]) for each in host["Ulimits"]] == [("nofile", 20_000)]
    assert box["Config"]["User"] == "10001:10001"
    assert list(box["NetworkSettings"]["Networks"]) == ["bridge"]
    # `no-new-privileges` is the node's own, for all it runs: as the kernel says of the model.
    status = engine.exec_create(found["Id"], ["cat", "/proc/1/status"])
    said_of_it = engine.exec_start(status).decode()
    assert "NoNewPrivs:\t1" in said_of_it
    assert "CapBnd:\t0000000000000000" in said_of_it


def test_a_model_that_is_let_out_still_answers_the_router(world, second):
    observed = ready(world.start(spec("abroad", node=second[1], internet=True)))

    assert ask(observed, "/echo", {"text": "hello"})[1]["text"] == "hello"


def test_nobody_goes_out_where_no_operator_vouches_for_the_walls(world, second):
    node = second[1]
    manager = world.runtime._client
    row = manager.inspect_node(node)
    labels = {k: v for k, v in row["Spec"]["Labels"].items() if k != "dormouse.internet"}
    manager.update_node(node, row["Version"]["Index"], {**row["Spec"], "Labels": labels})
    world.runtime._asked_at = 0
    try:
        told = {each.name: each.lets_out for each in world.runtime.nodes()}
        with pytest.raises(ReplicaFailed, match=r"scripts/node_internet\.sh"):
            world.start(spec("stranded", node=node, internet=True))
    finally:
        row = manager.inspect_node(node)
        spec_again = {**row["Spec"], "Labels": {**labels, "dormouse.internet": "1"}}
        manager.update_node(node, row["Version"]["Index"], spec_again)

    assert told.pop(node) is False
    assert list(told.values()) == [True, True]
    assert world.runtime.find("stranded") is None


def test_a_model_that_takes_too_much_memory_is_told_apart(world):
    greedy = ready(world.start(spec("greedy")))
    modest = world.start(spec("modest", arguments=["python", "-c", "raise SystemExit(3)"]))

    with pytest.raises(OSError):
        ask(greedy, "/echo", {"hog_mb": 400}, timeout=30)

    found = eventually(lambda: ended(world, "greedy"))
    assert (found.exit_code, found.out_of_memory) == (137, True)
    other = eventually(lambda: ended(world, modest.name))
    assert (other.exit_code, other.out_of_memory) == (3, False)


def test_a_model_that_was_stopped_the_hard_way_did_not_die_of_memory(world):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    world.start(spec("stubborn", arguments=["python", "-c", code]))

    world.runtime.end("stubborn", grace_seconds=10)

    found = eventually(lambda: ended(world, "stubborn"), within_seconds=30)
    assert found.out_of_memory is False


def test_gpus_are_given_from_the_node_that_has_them(world, nodes):
    (giving,) = [each for each in world.runtime.nodes() if each.gpus]
    code = "import os, time; print(os.environ['DOCKER_RESOURCE_GPU'], flush=True); time.sleep(600)"
    one = Resources(memory_mb=64, cpus=0.1, pids=16, gpus=1)

    for name in ("first", "second"):
        asked = spec(name, node=giving.name, resources=one, arguments=["python", "-c", code])
        world.start(asked)
        eventually(lambda n=name: said(world.runtime, n))

    assert giving.gpus == 2
    given = {said(world.runtime, name).strip() for name in ("first", "second")}
    assert given == {"GPU-1", "GPU-2"}
