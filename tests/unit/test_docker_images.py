"""Images of the catalogue, on an engine of which two workers ask the same at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from docker.errors import NotFound

from hosting.runtimes.docker_images import DockerImages

NAME = "dormouse/echo:1f2e"


class Engine:
    """An engine whose answer to "is it there?" reaches nobody before another has asked, too."""

    def __init__(self) -> None:
        self.client = self
        self.named: list[str] = []
        self.removed: list[str] = []
        self._asked = threading.Barrier(2)

    def inspect_image(self, name: str) -> dict[str, str]:
        found = self.named[:]
        with suppress(threading.BrokenBarrierError):
            self._asked.wait(0.3)
        if not found:
            raise NotFound(name)
        return {"Id": found[-1]}

    def tag(self, image: str, repository: str, *, tag: str) -> None:
        assert f"{repository}:{tag}" == NAME
        self.named.append(image)

    def remove_image(self, image: str) -> None:
        self.removed.append(image)


def test_of_two_workers_that_packed_the_same_one_names_it(tmp_path: Path):
    engine = Engine()
    workers = [DockerImages(cast(Any, engine), state_dir=tmp_path) for _ in range(2)]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each, packed: each._name(packed, NAME), workers, ["one", "other"]))

    assert (len(engine.named), len(engine.removed)) == (1, 1)
    assert {*engine.named, *engine.removed} == {"one", "other"}
