"""Replicas as containers of a Docker engine, each in the tightest box that still runs a model."""

import math
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import Mount

from hosting.errors import ReplicaFailed
from hosting.runtimes import box, docker_box, docker_log, docker_once
from hosting.runtimes.base import (
    LOCAL,
    Node,
    Observed,
    Output,
    Progress,
    Recipe,
    ReplicaSpec,
    Status,
)
from hosting.runtimes.docker_freezer import DockerFreezer
from hosting.runtimes.docker_images import DockerImages
from hosting.runtimes.engine import RUNNING, Engine, answering, explanation, moment
from hosting.runtimes.holders import ADDRESS, JOINED, Holder, Holders
from hosting.runtimes.images import catalogue_slug, is_reference
from hosting.runtimes.network import ModelNetwork
from hosting.runtimes.secret_files import SecretFiles

DEFAULT_NETWORK = "dormouse-models"

_APPEARS_WITHIN_SECONDS = 5.0
# A container that was made and not started belongs to a worker between two calls, or to one that
# died there. After this long it is the latter.
_MADE_AND_LEFT = timedelta(seconds=60)


class _NetworkGone(Exception):
    """The container was made for a network that isn't there any more."""


class _ImageMissing(Exception):
    """The engine doesn't have the image, so far."""


class DockerRuntime:
    """A container's name is the mutex: of any number that start a replica, one creates it."""

    name = "docker"
    isolates = True
    watches = True
    pauses = True

    def __init__(
        self,
        *,
        installation: str,
        state_dir: Path,
        network: str = DEFAULT_NETWORK,
        address: str | None = None,
        secrets_dir: Path | None = None,
        secrets_volume: str = "",
    ) -> None:
        self.installation = installation
        self._engine = Engine(address)
        self._network = ModelNetwork(network, self._engine)
        self._way_out = ModelNetwork(f"{network}-internet", self._engine, internet=True)
        self._secrets = SecretFiles(secrets_dir, installation=installation)
        self._secrets_volume = secrets_volume
        self._holders = Holders(self._engine, self._network, installation=installation)
        self._freezer = DockerFreezer(self._engine)
        self._images = DockerImages(self._engine, state_dir=state_dir)
        # Measured with 16 starts at once on 2 cores: half are up after 2.4 s instead of 3.7 s, and
        # the last is no later.
        self._slots = threading.BoundedSemaphore(2 * (os.cpu_count() or 1))
        self._node: Node | None = None

    @property
    def warning(self) -> str | None:
        """A wall that is missing, and how to put it up; known after the first start."""
        return self._network.warning or self._way_out.warning

    def nodes(self) -> list[Node]:
        """The engine's machine, asked once: it does not grow."""
        if self._node is None:
            with answering("The engine's machine could not be looked up"):
                info = self._engine.client.info()
            memory_mb = info["MemTotal"] // (1024 * 1024)
            self._node = Node(LOCAL, memory_mb=memory_mb, cpus=info["NCPU"])
        return [self._node]

    def hold(self, keys: Sequence[str]) -> None:
        """One holder for each, of the base image, if that is here; leftovers are cleared away."""
        with answering("The holders could not be looked after"):
            docker_once.clear_away(self._engine, installation=self.installation)
            self._network.ensure()
            self._holders.keep(keys)

    def start(self, spec: ReplicaSpec) -> Observed:
        """Create and start, or find. A missing image is pulled if it names a registry."""
        if catalogue_slug(spec.image) is None and not is_reference(spec.image):
            raise ReplicaFailed(f"“{spec.image}” isn't an image reference.")
        with answering(f"{spec.image} could not be started"):
            self._ensure_network(spec)
            image = self._images.resolve(spec.image)
            if spec.private:
                self._images.check_access(image, login=spec.login)
            try:
                self._create_and_start(image, spec)
            except _ImageMissing:  # fetched outside a slot: a pull may take minutes
                self._images.fetch(image, asked_for=spec.image, login=spec.login)
                self._create_and_start(image, spec)
            except _NetworkGone:  # since we last looked: an engine that was set up anew
                self._ensure_network(spec, again=True)
                self._create_and_start(image, replace(spec, holder=""))
            inspected = self._inspect(spec.name)
            observed = inspected and self._as_seen(inspected)
        if not observed:
            raise ReplicaFailed(f"{spec.name} was stopped while it started.")
        return observed

    def find(self, name: str) -> Observed | None:
        """One call to the engine."""
        with answering(f"{name} could not be looked up"):
            inspected = self._inspect(name)
            return self._observed([inspected])[0] if inspected else None

    def replicas(self) -> list[Observed]:
        """Those with this installation's label; one that was made and left shows as exited."""
        with answering("The replicas could not be listed"):
            rows = self._engine.client.containers(
                all=True, filters={"label": f"{box.INSTALLATION}={self.installation}"}
            )
            # The list says it all of those that run; it has no exit codes. Gone since: left out.
            found = [_as_inspected(row) or self._inspect_container(row["Id"]) for row in rows]
            observed = self._observed([each for each in found if each], left_over=True)
        return [each for each in observed if each]

    def _observed(
        self, found: Sequence[Mapping[str, Any]], *, left_over: bool = False
    ) -> list[Observed | None]:
        """As they are; a replica whose holder is gone runs on, but nobody can reach it."""
        joined = [(each["Config"]["Labels"] or {}).get(JOINED) for each in found]
        alive = {None, *(self._holders.alive() if any(joined) else ())}
        observed = [self._as_seen(each, left_over=left_over) for each in found]
        return [
            replace(each, status=Status.EXITED, host=None, port=None, paused=False)
            if each and holder not in alive
            else each
            for each, holder in zip(observed, joined, strict=True)
        ]

    def _as_seen(self, inspected: Mapping[str, Any], *, left_over: bool = False) -> Observed | None:
        """What the engine says; whether it stands still, of which the kernel knows more; and
        whether it ended with the engine."""
        paused = self._freezer.is_frozen(inspected)
        seen = _observed(inspected, paused=paused, left_over=left_over)
        if seen is None or seen.status != Status.EXITED:
            return seen
        return replace(seen, lost=self._went_with_the_engine(inspected))

    def _went_with_the_engine(self, inspected: Mapping[str, Any]) -> bool:
        """Whether the engine was started since the container was: it takes all it runs with it."""
        began, engine_began = moment(inspected["State"].get("StartedAt")), self._engine.began()
        return began is not None and engine_began is not None and began < engine_began

    def end(self, name: str, *, grace_seconds: float = 10.0) -> None:
        """Stop, and leave the container with its log."""
        container = self._container(name)
        with answering(f"{name} could not be stopped"), suppress(NotFound):
            self._freezer.release(container)
            self._engine.client.stop(container, timeout=math.ceil(grace_seconds))

    def stop(self, name: str, *, grace_seconds: float = 10.0) -> None:
        """Stop and remove; somebody else doing the same at the same time is success."""
        self.end(name, grace_seconds=grace_seconds)
        with answering(f"{name} could not be removed"):
            self._remove(self._container(name))
        self._secrets.remove(self._container(name))

    def pause(self, name: str) -> None:
        """Freeze by the kernel's freezer: no CPU, all memory kept."""
        with answering(f"{name} could not be paused"):
            self._freezer.freeze(self._container(name))

    def resume(self, name: str) -> bool:
        """Well below a millisecond where the kernel obeys us, else one call to the engine."""
        with answering(f"{name} could not be resumed"):
            return self._freezer.thaw(self._container(name))

    def deaths(self) -> Iterator[str]:
        """The engine's own events, within milliseconds. A cut stream just ends."""
        filters = {"event": "die", "label": f"{box.INSTALLATION}={self.installation}"}
        with answering("The engine's events could not be read"):
            for event in self._engine.client.events(filters=filters, decode=True):
                name = event.get("Actor", {}).get("Attributes", {}).get(box.REPLICA)
                if name:
                    yield name

    def log(self, name: str, *, after: int = 0, follow: bool = False) -> Iterator[Output]:
        """Both streams as the engine keeps them: two files of a mebibyte that take turns."""
        with answering(f"The log of {name} could not be read"):
            chunks = self._engine.log(f"containers/{self._container(name)}", after, follow)
            for output in docker_log.lines(chunks):
                if output.at > after:
                    yield output

    def output_of(self, spec: ReplicaSpec, *, seconds: float) -> str:
        """In the box of a model, without even its network."""
        return docker_once.output_of(
            spec,
            engine=self._engine,
            images=self._images,
            installation=self.installation,
            seconds=seconds,
        )

    def label_of(self, spec: ReplicaSpec, label: str) -> str:
        """As the engine has it from the image's own description."""
        with answering(f"{spec.image} could not be looked into"):
            return self._images.label(spec.image, label, login=spec.login, private=spec.private)

    def is_built(self, recipe: Recipe) -> bool:
        """Whether the engine has the image of this fingerprint."""
        with answering(f"The image of {recipe.slug} could not be looked up"):
            return self._images.is_built(recipe)

    def build(self, recipe: Recipe, *, progress: Progress) -> None:
        """Assemble on the host, then pack: the image build itself needs no network."""
        self._images.build(recipe, progress=progress)

    def remove_network(self) -> None:
        """Take the models' network away, when the installation is taken down for good."""
        with answering("The models' network could not be removed"):
            self._network.remove()
            self._way_out.remove()

    def _ensure_network(self, spec: ReplicaSpec, *, again: bool = False) -> None:
        """A wall that is missing is told of; without that of the way out nobody goes there."""
        network = self._way_out if spec.internet else self._network
        network.ensure(again=again)
        if spec.internet and network.warning:
            raise ReplicaFailed(
                "It may reach the internet, but nothing here can keep it from this host's own "
                f"network. {network.warning}"
            )

    def _container(self, name: str) -> str:
        return box.container_name(name, installation=self.installation)

    def _create_and_start(self, image: str, spec: ReplicaSpec) -> None:
        """Start what was only made, by us or by a worker that died there; never what has run."""
        container = self._container(spec.name)
        with self._slots:
            joins = spec.holder and not spec.internet  # holders are on the bridge without a way out
            holder = self._holders.find(spec.holder) if joins else None
            if not self._create(image, spec, holder) and not self._is_only_made(spec.name):
                return
            try:
                self._engine.client.start(container)
            except APIError as error:
                if "network" in explanation(error).lower():  # or the holder that has it
                    self._remove(container)
                    raise _NetworkGone(spec.name) from error
                if error.status_code not in (404, 409):  # somebody else's, on its way out
                    self._remove(container)  # leave nothing behind of one that can't start
                raise

    def _is_only_made(self, name: str) -> bool:
        """Wait for somebody else's container to appear: its name is taken a moment before."""
        deadline = time.monotonic() + _APPEARS_WITHIN_SECONDS
        while (inspected := self._inspect(name)) is None:
            if time.monotonic() > deadline:
                raise ReplicaFailed(f"Another worker began to start {name} and gave up. Try again.")
            time.sleep(0.02)
        return bool(inspected["State"]["Status"] == "created")

    def _create(self, image: str, spec: ReplicaSpec, holder: Holder | None = None) -> bool:
        """Whether this call made the container, not one before it."""
        client = self._engine.client
        try:
            client.create_container(
                image,
                name=self._container(spec.name),
                command=list(spec.arguments) or None,
                environment=box.environment(spec),
                user=box.USER,
                labels={
                    **box.labels(spec, installation=self.installation),
                    **(holder.labels if holder else {}),
                },
                # The first result of a health check comes after a whole interval: we probe.
                healthcheck={"test": ["NONE"]},
                host_config=client.create_host_config(
                    **docker_box.walls(spec),
                    **self._network_for(spec, holder),
                    mounts=self._mounts(spec),
                ),
            )
        except NotFound as error:
            raise _ImageMissing(image) from error
        except APIError as error:
            if error.status_code != 409:
                raise
            return False
        return True

    def _mounts(self, spec: ReplicaSpec) -> list[Mount]:
        """Nothing of the host, but the replica's own secrets where it has any."""
        if not spec.files:
            return []
        container = self._container(spec.name)
        folder = self._secrets.write(container, spec.files, uid=box.UID)
        if self._secrets_volume:  # we are a container: the engine knows the folder by another name
            volume = self._engine.client.inspect_volume(self._secrets_volume)
            folder = Path(volume["Mountpoint"]) / container
        return [Mount(box.SECRETS, str(folder), type="bind", read_only=True)]

    def _network_for(self, spec: ReplicaSpec, holder: Holder | None) -> dict[str, Any]:
        if spec.internet:  # the engine's resolver, too
            return {"network_mode": self._way_out.name}
        if holder:
            return {"network_mode": f"container:{holder.id}"}
        return {"network_mode": self._network.name, **box.RESOLVER}

    def _inspect(self, name: str) -> dict[str, Any] | None:
        return self._inspect_container(self._container(name))

    def _inspect_container(self, container: str) -> dict[str, Any] | None:
        try:
            inspected: dict[str, Any] = self._engine.client.inspect_container(container)
        except NotFound:
            return None
        return inspected

    def _remove(self, container: str) -> None:
        try:
            self._engine.client.remove_container(container, force=True, v=True)
        except NotFound:
            pass
        except APIError as error:
            if error.status_code != 409:  # its removal is in progress
                raise


def _as_inspected(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """A row of the engine's list in the shape of an inspection, if the replica runs."""
    if row["State"] not in RUNNING:
        return None
    return {
        "Id": row["Id"],
        "Name": row["Names"][0],
        "State": {"Status": row["State"]},
        "Config": {"Labels": row["Labels"]},
        "NetworkSettings": row["NetworkSettings"],
    }


def _observed(inspected: Mapping[str, Any], *, paused: bool, left_over: bool) -> Observed | None:
    """What the engine says, in our words; None for a container that was only made."""
    state = inspected["State"]
    labels = inspected["Config"]["Labels"] or {}
    name = labels.get(box.REPLICA, inspected["Name"].lstrip("/"))
    given = box.given_labels(labels)
    if state["Status"] in RUNNING:
        port = labels.get(box.PORT, "")
        return Observed(
            name=name,
            status=Status.RUNNING,
            host=labels.get(ADDRESS) or box.address(inspected),
            port=int(port) if port.isdigit() else None,
            paused=paused,
            labels=given,
        )
    if state["Status"] in ("exited", "dead"):
        code = state["ExitCode"]
        # A child that was killed for its memory leaves the flag on a container that goes on.
        out_of_memory = bool(state["OOMKilled"]) and code == 137
        return Observed(
            name=name,
            status=Status.EXITED,
            exit_code=code,
            out_of_memory=out_of_memory,
            labels=given,
        )
    made_at = moment(inspected.get("Created"))
    if left_over and made_at and made_at < datetime.now(UTC) - _MADE_AND_LEFT:
        return Observed(name=name, status=Status.EXITED, labels=given)
    return None
