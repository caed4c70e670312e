"""One run of an image to its end, for what it prints: boxed like a model, and without a network."""

import time
from contextlib import suppress

from docker.errors import APIError, NotFound

from hosting.errors import ReplicaFailed
from hosting.runtimes import box, docker_box, docker_log
from hosting.runtimes.base import ReplicaSpec, Stream
from hosting.runtimes.docker_images import DockerImages
from hosting.runtimes.engine import Engine, answering

MOST_CHARACTERS = 256 * 1024
_LOOK_SECONDS = 0.05


def output_of(
    spec: ReplicaSpec, *, engine: Engine, images: DockerImages, installation: str, seconds: float
) -> str:
    """What it wrote to stdout. Raises ReplicaFailed when it fails or takes longer than this.

    Nothing stays behind; what a worker that died here left under this name is removed first. A
    missing image is pulled.
    """
    name = box.container_name(spec.name, installation=installation)
    with answering(f"{spec.image} could not be run"):
        image = images.resolve(spec.image)
        if spec.private:
            images.check_access(image, login=spec.login)
        _remove(engine, name)
        try:
            try:
                _start(engine, name, image, spec)
            except NotFound:
                images.fetch(image, asked_for=spec.image, login=spec.login)
                _start(engine, name, image, spec)
            code = _wait(engine, name, seconds=seconds)
            lines = list(docker_log.lines(engine.log(f"containers/{name}", 0, False)))
        finally:
            _remove(engine, name)
    if code != 0:
        last = lines[-1].text if lines else "It wrote nothing."
        raise ReplicaFailed(f"It ended with code {code}: {last[:500]}")
    printed = "".join(f"{each.text}\n" for each in lines if each.stream == Stream.OUT)
    return printed[:MOST_CHARACTERS]


def _start(engine: Engine, name: str, image: str, spec: ReplicaSpec) -> None:
    client = engine.client
    client.create_container(
        image,
        name=name,
        command=list(spec.arguments) or None,
        environment=box.environment(spec),
        user=box.USER,
        labels=dict(spec.labels),
        healthcheck={"test": ["NONE"]},
        host_config=client.create_host_config(network_mode="none", **docker_box.walls(spec)),
    )
    client.start(name)


def _wait(engine: Engine, name: str, *, seconds: float) -> int:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = engine.client.inspect_container(name)["State"]
        if state["Status"] in ("exited", "dead"):
            return int(state["ExitCode"])
        time.sleep(_LOOK_SECONDS)
    raise ReplicaFailed(f"It did not end within {seconds:g} s.")


def _remove(engine: Engine, name: str) -> None:
    with suppress(NotFound, APIError):
        engine.client.remove_container(name, force=True, v=True)
