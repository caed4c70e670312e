"""compose.yaml for real: images without a registry, every service, a model called through it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hosting.router import compiled
from tests.e2e.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]
PROJECT = f"dormouse-test-{os.getpid()}"
OURS = {"web", "router", "shipper", "worker", "worker-default", "beat"}
pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


class Compose:
    """One project of compose.yaml."""

    def __init__(self, environment: Path, port: int) -> None:
        self.environment = environment
        self.port = port

    def run(self, *arguments: str) -> str:
        files = ["--env-file", str(self.environment), "-p", PROJECT]
        return run("docker-compose", *files, *arguments)

    def inspect(self) -> dict[str, Any]:
        """What the engine says of every container, by service."""
        found = json.loads(run("docker", "inspect", *self.run("ps", "-q").split()))
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in found}

    def query(self, model: dict[str, Any], **inputs: Any) -> httpx.Response:
        headers = {"Host": f"{model['subdomain']}.localhost"}
        if model["token"]:
            headers["Authorization"] = f"Bearer {model['token']}"
        url = f"http://127.0.0.1:{self.port}/v1/query"
        return httpx.post(url, headers=headers, json=inputs, timeout=120, trust_env=False)


def run(*command: str) -> str:
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, f"{command}: {ended.stderr[-2000:]}"
    return ended.stdout


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    if not shutil.which("docker-compose"):
        pytest.skip("no docker-compose; apt-get install docker-compose")
    if os.geteuid() != 0:
        pytest.skip("making the images without a registry needs root")
    images = [each for each in run("scripts/compose_images.sh").splitlines() if "=" in each]
    ports = [free_port() for _ in range(4)]
    environment = tmp_path_factory.mktemp("compose") / "env"
    values = [
        f"DORMOUSE_PORT={ports[0]}",
        f"DORMOUSE_LISTEN=127.0.0.1:{ports[0]}",
        f"DORMOUSE_DASHBOARD_PORT={ports[1]}",
        f"DORMOUSE_POSTGRES_PORT={ports[2]}",
        f"DORMOUSE_REDIS_PORT={ports[3]}",
        f"DORMOUSE_INSTALLATION={PROJECT}",
        f"DORMOUSE_REPLICA_NETWORK={PROJECT}-models",
    ]
    run("scripts/compose_env.sh", str(environment), *images, *values)
    compose = Compose(environment, ports[0])
    try:
        compose.run("up", "-d", "--no-build")
        yield compose
    finally:
        compose.run("stop", "router", "beat", "worker")
        compose.run("run", "--rm", "worker", "python3", "manage.py", "stop_replicas")
        compose.run("down", "-v", "--remove-orphans")
        subprocess.run(["docker", "network", "rm", f"{PROJECT}-models"], capture_output=True)


@pytest.fixture(scope="module")
def demo(compose: Compose) -> dict[str, Any]:
    """The demo, seeded once the web process is healthy."""
    eventually(lambda: compose.inspect()["web"]["State"]["Health"]["Status"] == "healthy")
    seeded: dict[str, Any] = json.loads(
        compose.run("exec", "-T", "web", "python3", "manage.py", "seed_demo")
    )
    return seeded


def eventually(reached: Callable[[], bool], *, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)


def test_a_sleeping_model_answers_through_containers(compose: Compose, demo: dict[str, Any]):
    generator, echo = demo["models"]

    assert compose.query(echo, text="hello").json()["text"] == "hello"
    assert compose.query(generator, prompt="The dormouse").json()["generated_text"]


def test_secrets_reach_a_model_in_memory_and_its_log_reaches_the_web(
    compose: Compose, demo: dict[str, Any]
):
    url = f"http://127.0.0.1:{compose.port}/api/v1/models/"
    headers = {"Authorization": f"Bearer {demo['api_key']}"}
    script = "print('it is', open('/run/secrets/token').read(), flush=True)"
    revision = {
        "image": "catalogue:echo",
        "protocol": "http",
        "arguments": ["python", "-c", script],
    }

    with httpx.Client(base_url=url, headers=headers, trust_env=False) as api:
        api.post("", json={"subdomain": "secretive", "revision": revision}).raise_for_status()
        secret = {"value": "a planted secret", "kind": "file"}
        api.put("secretive/secrets/token/", json=secret).raise_for_status()
        api.post("secretive/wake/").raise_for_status()
        eventually(lambda: api.get("secretive/logs/").json()["results"])
        said = [line["text"] for line in api.get("secretive/logs/").json()["results"]]
        api.delete("secretive/")

    assert "it is ••••••" in said


def test_the_dashboard_is_behind_the_same_address(compose: Compose, demo: dict[str, Any]):
    url = f"http://127.0.0.1:{compose.port}/api/v1/models/"
    headers = {"Authorization": f"Bearer {demo['api_key']}"}

    answer = httpx.get(url, headers=headers, trust_env=False)

    assert len(answer.json()["results"]) == 2


def test_only_the_lifecycle_worker_has_the_docker_socket(compose: Compose):
    with_socket = {
        service
        for service, container in compose.inspect().items()
        if any("docker.sock" in mount["Source"] for mount in container["Mounts"])
    }

    assert with_socket == {"worker"}


def test_nothing_runs_as_root(compose: Compose):
    users = {service: each["Config"]["User"] for service, each in compose.inspect().items()}

    assert not [service for service, user in users.items() if user.split(":")[0] in ("", "0")]


def test_our_containers_can_write_nowhere_and_gain_nothing(compose: Compose):
    containers = compose.inspect()

    hosts = [containers[service]["HostConfig"] for service in OURS]

    assert all(host["ReadonlyRootfs"] for host in hosts)
    assert all(host["CapDrop"] == ["ALL"] for host in hosts)
    assert all(host["SecurityOpt"] == ["no-new-privileges:true"] for host in hosts)


def test_the_router_runs_the_machine_code_that_was_made_here(compose: Compose):
    ours = compiled.place()
    if not ours.is_dir():
        pytest.skip("no machine code: make compile")
    told = "from hosting.router import compiled; print(compiled.place().name)"
    theirs = compose.run("exec", "-T", "router", "python3", "-c", told).strip()
    if theirs != ours.name:
        pytest.skip("the images hold another Python or C library than this machine")

    assert "as machine code" in compose.run("logs", "router")


def test_every_service_keeps_running(compose: Compose, demo: dict[str, Any]):
    containers = compose.inspect()

    assert set(containers) >= OURS
    assert {containers[service]["State"]["Status"] for service in OURS} == {"running"}
    assert {containers[service]["RestartCount"] for service in OURS} == {0}
