"""Images from a real registry that asks for a name and a password."""

import http.client
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from hosting import catalogue
from hosting.errors import ReplicaFailed
from hosting.runtimes.base import Login, Status
from hosting.runtimes.swarm import SwarmRuntime
from tests import worlds
from tests.e2e.conftest import free_port
from tests.worlds import eventually, ready, spec

pytestmark = pytest.mark.docker

LOGIN = Login("northlight", "a-planted-password")
BCRYPT = "$2b$04$r9QERaY2t7M5yoyc.wTkReN5ufqxEyevA87noP0fFOTENzCkQQpsu"  # of the password
CONFIG = """
version: 0.1
storage: {{filesystem: {{rootdirectory: "{folder}/data"}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: models, path: "{folder}/htpasswd"}}}}
"""


@dataclass(frozen=True)
class Registry:
    """It listens on loopback, which engines trust without TLS."""

    engine: docker.APIClient
    host: str

    def push(self, image: str) -> str:
        """Put an image there under a name of its own, and nowhere else."""
        name = f"{self.host}/private/echo"
        self.engine.tag(image, name, tag="1")
        account = {"username": LOGIN.username, "password": LOGIN.password}
        said = self.engine.push(name, tag="1", auth_config=account, stream=True, decode=True)
        assert not [line for line in said if "error" in line]
        self.forget(f"{name}:1")
        return f"{name}:1"

    def forget(self, name: str) -> None:
        """Take the name from the engine."""
        self.engine.remove_image(name, force=True)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    if shutil.which("docker-registry") is None:
        pytest.skip("no docker-registry; apt-get install docker-registry")
    folder: Path = tmp_path_factory.mktemp("registry")
    port = free_port()
    (folder / "htpasswd").write_text(f"{LOGIN.username}:{BCRYPT}\n")
    (folder / "config.yml").write_text(CONFIG.format(folder=folder, port=port))
    command = ["docker-registry", "serve", str(folder / "config.yml")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    engine = docker.APIClient()
    try:
        eventually(lambda: answers(port))
        yield Registry(engine, f"127.0.0.1:{port}")
    finally:
        engine.close()
        process.terminate()
        process.wait()


def answers(port: int, status: int = 401) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == status
    finally:
        connection.close()


@pytest.fixture
def open_registry(tmp_path):
    """One that asks nobody, as in a cluster's own network."""
    if shutil.which("docker-registry") is None:
        pytest.skip("no docker-registry; apt-get install docker-registry")
    port = free_port()
    config = CONFIG.format(folder=tmp_path, port=port).rpartition("auth:")[0]
    (tmp_path / "config.yml").write_text(config)
    command = ["docker-registry", "serve", str(tmp_path / "config.yml")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: answers(port, 200))
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture
def image(registry, docker_world):
    return registry.push(docker_world.runtime._images.resolve(worlds.ECHO.image))


def test_an_image_is_pulled_with_the_login_it_needs(docker_world, registry, image):
    started = docker_world.start(spec("private-1", image=image, login=LOGIN))

    assert ready(started).status is Status.RUNNING
    docker_world.runtime.stop("private-1", grace_seconds=0)
    registry.forget(image)


@pytest.mark.parametrize("login", [None, Login("northlight", "wrong")], ids=["none", "wrong"])
def test_without_the_right_login_it_is_not_had(docker_world, image, login):
    with pytest.raises(ReplicaFailed, match="could not be pulled") as refused:
        docker_world.start(spec("private-2", image=image, login=login))

    assert LOGIN.password not in str(refused.value)
    assert docker_world.runtime.find("private-2") is None


def test_what_one_team_has_pulled_is_not_another_teams(docker_world, registry, image):
    docker_world.start(spec("private-3", image=image, login=LOGIN, private=True))

    with pytest.raises(ReplicaFailed, match="could not be pulled"):
        docker_world.start(spec("private-4", image=image, private=True))

    docker_world.runtime.stop("private-3", grace_seconds=0)
    registry.forget(image)


def test_on_a_swarm_the_login_goes_to_the_manager_by_its_digest(registry, image, tmp_path):
    runtime = worlds.swarm_world(tmp_path, address="unix:///var/run/docker.sock").runtime

    pinned = runtime._images.pinned(image, login=LOGIN)
    sender = runtime._client_of(spec("private-5", image=image, login=LOGIN))

    assert pinned.startswith(f"{registry.host}/private/echo@sha256:")
    assert docker.auth.get_config_header(sender, registry.host)
    assert runtime._client_of(spec("private-6", image=image)) is runtime._client
    sender.close()
    registry.forget(image)


def test_a_swarm_puts_the_catalogue_where_its_nodes_can_pull_it(docker_world, open_registry):
    recipe = catalogue.recipe(worlds.ECHO)
    swarm = SwarmRuntime(
        installation="pushing",
        state_dir=docker_world.state_dir,  # echo is built there
        address="unix:///var/run/docker.sock",
        catalogue_registry=f"{open_registry}/dormouse",
    )
    assert not swarm.is_built(recipe)

    swarm.build(recipe, progress=lambda *_: None)

    assert swarm.is_built(recipe)
    homes = [f"{open_registry}/{each}" for each in ("dormouse", "another", "zoo")]
    for home in homes:  # it may have been elsewhere before
        swarm._images.push(recipe, to=home)
    pinned = [swarm._images.pinned(worlds.ECHO.image, registry=home) for home in homes]
    for home in homes:
        swarm._client.remove_image(f"{home}/echo:{recipe.fingerprint}", force=True)
    assert [each.partition("/echo@")[0] for each in pinned] == homes
