"""One Docker world for all tests of this folder, with echo built."""

import pytest

from hosting import catalogue
from tests import worlds


@pytest.fixture(scope="session")
def shared_docker_world(tmp_path_factory):
    world = worlds.docker_world(tmp_path_factory.mktemp("docker") / "state")
    world.runtime.build(catalogue.recipe(worlds.ECHO), progress=lambda *_: None)
    yield world
    world.runtime.remove_network()


@pytest.fixture
def docker_world(shared_docker_world):
    yield shared_docker_world
    shared_docker_world.clean()
