"""One run of an image to its end, for what it prints: boxed like a model, and without a network."""

import time
import uuid
from collections.abc import Mapping
from contextlib import suppress

from docker.errors import APIError, NotFound

from hosting.errors import ReplicaFailed
from hosting.runtimes import box, docker_box, docker_log
from hosting.runtimes.base import ReplicaSpec, Stream
from hosting.runtimes.docker_images import DockerImages
from hosting.runtimes.engine import Engine, answering

MOST_CHARACTERS = 256 * 1024
ONCE = "dormouse.once"  # a label: of which installation
_SECONDS = "dormouse.seconds"  # another: how long it is waited for
_SPARE_SECONDS = 60
_LOOK_SECONDS = 0.05


def output_of(
    spec: ReplicaSpec, *, engine: Engine, images: DockerImages, installation: str, seconds: float
) -> str:
    """What it wrote to stdout. Raises ReplicaFailed when it fails or takes longer than this.

    Nothing stays behind; what a worker that died here left is for `clear_away`. A missing image is
    pulled. Two that run the same at once don't meet.
    """
    name = f"{box.container_name(spec.name, installation=installation)}-{uuid.uuid4().hex[:8]}"
    labels = {ONCE: installation, _SECONDS: f"{seconds:.0f}"}
    with answering(f"{spec.image} could not be run"):
        image = images.resolve(spec.image)
        if spec.private:
            images.check_access(image, login=spec.login)
        try:
            try:
                _start(engine, name, image, spec, labels)
            except NotFound:
                images.fetch(image, asked_for=spec.image, login=spec.login)
                _start(engine, name, image, spec, labels)
            code = _wait(engine, name, seconds=seconds)
            lines = list(docker_log.lines(engine.log(f"containers/{name}", 0, False)))
        finally:
            _remove(engine, name)
    if code != 0:
        last = lines[-1].text if lines else "It wrote nothing."
        raise ReplicaFailed(f"It ended with code {code}: {last[:500]}")
    printed = "".join(f"{each.text}\n" for each in lines if each.stream == Stream.OUT)
    return printed[:MOST_CHARACTERS]


def clear_away(engine: Engine, *, installation: str) -> None:
    """Remove runs that nobody waits for any more: who did would have removed them in time."""
    label = f"{ONCE}={installation}"
    for row in engine.client.containers(all=True, filters={"label": label}):
        if time.time() > row["Created"] + int(row["Labels"][_SECONDS]) + _SPARE_SECONDS:
            _remove(engine, row["Id"])


def _start(
    engine: Engine, name: str, image: str, spec: ReplicaSpec, labels: Mapping[str, str]
) -> None:
    client = engine.client
    client.create_container(
        image,
        name=name,
        command=list(spec.arguments) or None,
        environment=box.environment(spec),
        user=box.USER,
        labels={**spec.labels, **labels},
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
