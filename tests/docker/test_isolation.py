"""A hostile model in the box every model gets: what it tries must fail."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import docker
import pytest

from hosting import catalogue
from hosting.errors import ReplicaFailed
from hosting.runtimes import wall
from hosting.runtimes.base import Resources
from hosting.runtimes.engine import Engine
from hosting.runtimes.wall import WALL_IMAGE, Wall
from tests import worlds
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

pytestmark = pytest.mark.docker

# Other models: one that may go out, one that may not.
NEIGHBOURS = (("abroad", True), ("at-home", False))
HOSTILE = (Path(__file__).parent / "hostile.py").read_text()


@pytest.fixture(scope="module")
def engine():
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def host_service():
    """Something that listens on every address of this host, for streams and for datagrams."""
    streams = socket.create_server(
        ("::", 0), family=socket.AF_INET6, backlog=64, dualstack_ipv6=True
    )
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with streams, datagrams:
        datagrams.bind(("0.0.0.0", streams.getsockname()[1]))
        datagrams.setblocking(False)
        yield streams, datagrams


def around(port):
    """Every way to this host: its addresses, and names that lead to them."""
    addresses, six = host_addresses(), host_addresses_six()
    for address in [*addresses, *six]:  # the service is really there: the host itself gets through
        eventually(lambda a=address: dialled(a, port))  # of a new bridge after a second or two
    return {
        "host": [[each, port] for each in addresses],
        "six": [[as_seen_by_a_model(each), port] for each in six],
        "rebind": [[each, port] for each in addresses],
        "names": [Elsewhere.INTERNET, 53],
        "hostname": socket.gethostname(),
    }


@pytest.fixture
def outcomes(docker_world, host_service):
    """What a hostile model could do, asked of it once it has tried."""
    neighbour = ready(docker_world.start(spec("victim")))
    targets = around(host_service[0].getsockname()[1])
    targets["neighbour"] = [neighbour.host, neighbour.port]

    docker_world.start(spec("hostile", arguments=["python", "-c", HOSTILE, json.dumps(targets)]))
    eventually(lambda: ended(docker_world, "hostile"), within_seconds=60)

    return outcomes_in(said(docker_world.runtime, "hostile"))


@pytest.fixture
def elsewhere():
    with Elsewhere() as machine:
        yield machine


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("iptables"),
    reason="only root can set the firewall rule that keeps models off this host",
)
def test_a_hostile_model_gets_nowhere(outcomes, host_service, docker_world):
    succeeded = [name for name, outcome in outcomes.items() if outcome == "DONE"]

    assert succeeded == []
    assert len(outcomes) > 20
    assert docker_world.runtime.warning is None
    with pytest.raises(BlockingIOError):  # no datagram came either
        host_service[1].recv(64)


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("iptables"),
    reason="only root can set the firewall rules and lay out a network",
)
def test_a_model_that_may_reach_the_internet_reaches_nothing_else(
    docker_world, host_service, elsewhere
):
    neighbours = [ready(docker_world.start(spec(name, internet=way))) for name, way in NEIGHBOURS]
    port = host_service[0].getsockname()[1]
    targets = around(port) | {
        "neighbour": [neighbours[0].host, neighbours[0].port],
        "internet": [elsewhere.INTERNET, elsewhere.PORT],
        "near": [
            *([each, elsewhere.PORT] for each in elsewhere.NEAR),
            [neighbours[1].host, neighbours[1].port],
        ],
    }
    targets["rebind"] += [[elsewhere.INTERNET, elsewhere.PORT], *targets["near"]]
    arguments = ["python", "-c", HOSTILE, json.dumps(targets)]

    docker_world.start(spec("traveller", internet=True, arguments=arguments))
    eventually(lambda: ended(docker_world, "traveller"), within_seconds=60)

    outcomes = outcomes_in(said(docker_world.runtime, "traveller"))
    assert {name for name, outcome in outcomes.items() if outcome == "DONE"} == {
        "connect to the internet",
        f"follow a name to {elsewhere.INTERNET}:{elsewhere.PORT}",
    }
    assert len(outcomes) > 25
    with pytest.raises(BlockingIOError):
        host_service[1].recv(64)


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("iptables"),
    reason="only root can set the firewall rules and lay out a network",
)
def test_a_model_that_may_not_reach_the_internet_does_not(docker_world, elsewhere):
    code = f"import socket; socket.create_connection({(elsewhere.INTERNET, elsewhere.PORT)}, 3)"

    docker_world.start(spec("homebody", arguments=["python", "-c", code]))

    assert eventually(lambda: ended(docker_world, "homebody")).exit_code == 1


def test_without_its_wall_nobody_goes_out(docker_world, monkeypatch):
    monkeypatch.setattr(wall, "WALL_IMAGE", "dormouse/walls:not-there")
    monkeypatch.setattr(wall.shutil, "which", lambda _: None)
    helpless = docker_world.reopened()

    with pytest.raises(ReplicaFailed, match="As root, run: iptables -I INPUT"):
        docker_world.start(spec("stranded", internet=True), runtime=helpless)

    assert helpless.find("stranded") is None


def test_every_wall_is_there_as_the_engine_sees_it(docker_world, engine):
    observed = docker_world.start(spec("walls"))

    box = engine.api.inspect_container(docker_world.runtime._container("walls"))

    host = box["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] is None
    assert host["Privileged"] is False
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["Memory"] == host["MemorySwap"] == 128 * 1024 * 1024
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 64
    assert host["Init"] is True
    assert host["Binds"] is None
    assert not box["Mounts"]
    assert not host["PortBindings"]
    assert host["LogConfig"]["Config"] == {"max-size": "1m", "max-file": "2"}
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert "size=64m" in host["Tmpfs"]["/tmp"]
    assert [(each["Name"], each["Hard"]) for each in host["Ulimits"]] == [("nofile", 20_000)]
    assert box["Config"]["User"] == "10001:10001"
    assert list(box["NetworkSettings"]["Networks"]) == [worlds.docker_network()]
    assert observed.host is not None


def test_the_network_lets_nobody_out_and_nobody_talk(docker_world, engine):
    docker_world.start(spec("network"))

    network = engine.api.inspect_network(worlds.docker_network())

    assert network["Internal"] is True
    assert network["EnableIPv6"] is False
    assert network["Options"]["com.docker.network.bridge.enable_icc"] == "false"


@pytest.mark.parametrize("internet", [False, True])
def test_a_worker_that_may_not_touch_the_firewall_has_the_wall_put_up_for_it(internet):
    script = catalogue.EXAMPLES.parent / "scripts" / "build_base_image.sh"
    subprocess.run(["bash", script, WALL_IMAGE, "iptables"], check=True, capture_output=True)
    bridge = f"dm-t{os.getpid()}"
    helpless = Wall(bridge, Engine(), internet=internet, may_set_it_itself=False)

    assert helpless.ensure() is None
    assert helpless.ensure(again=True) is None

    saved = subprocess.run(
        ["iptables-save", "-t", "filter"], capture_output=True, text=True, check=True
    ).stdout
    assert saved.count(f"-A INPUT -i {bridge} -m conntrack --ctstate NEW -j DROP") == 1
    assert (f"-A DOCKER-USER -d 169.254.0.0/16 -i {bridge} -j DROP" in saved) is internet
    Wall(bridge, Engine(), internet=True).remove()


def test_a_wall_nobody_may_put_up_is_told_with_the_command_to_run(monkeypatch):
    monkeypatch.setattr(wall, "WALL_IMAGE", "dormouse/walls:not-there")
    helpless = Wall("dm-nobody", Engine(), may_set_it_itself=False)

    assert "run: iptables -I INPUT -i dm-nobody" in helpless.ensure()


def test_a_model_that_takes_too_much_memory_dies_alone_and_it_is_told(docker_world):
    greedy = ready(docker_world.start(spec("greedy")))
    modest = ready(docker_world.start(spec("modest")))

    with pytest.raises(OSError):
        ask(greedy, "/echo", {"hog_mb": 400}, timeout=30)

    found = eventually(lambda: ended(docker_world, "greedy"))
    assert found.out_of_memory is True
    assert found.exit_code == 137
    assert ask(modest, "/echo", {"text": "still here"})[1]["text"] == "still here"


def test_a_child_that_died_of_memory_is_not_the_model_dying_of_it(docker_world):
    script = (
        "import os, time\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    open('/proc/self/oom_score_adj', 'w').write('1000')\n"
        "    hog = [bytearray(b'x' * 1048576) for _ in range(400)]\n"
        "os.waitpid(child, 0)\n"
    )
    few = Resources(memory_mb=64, cpus=1, pids=16)
    docker_world.start(spec("parent", arguments=["python", "-c", script], resources=few))

    found = eventually(lambda: ended(docker_world, "parent"))

    assert found.exit_code == 0
    assert found.out_of_memory is False
