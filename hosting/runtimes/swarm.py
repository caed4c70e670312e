"""Replicas as services of a Docker Swarm: one service, one task, on the node that was chosen.

Swarm starts containers on other machines and tells what became of them. It decides nothing: the
node comes from the replica's row, and a task that ended is never started again, there or elsewhere.
"""

import math
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import EndpointSpec, SecretReference, ServiceMode

from hosting.errors import ImageMissing, ReplicaFailed
from hosting.runtimes import box, docker_log, docker_once
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
from hosting.runtimes.docker_images import DockerImages
from hosting.runtimes.engine import Engine, answering, explanation
from hosting.runtimes.images import catalogue_slug, is_reference, registry_of
from hosting.runtimes.swarm_tasks import (
    ALIVE,
    COMING,
    GRACE_SECONDS,
    INTERNET,
    KILLED,
    UP,
    WALLS,
    Machine,
    lacks_image,
    machine_of,
    node_of,
    port_of,
    state_of,
    task_template,
    that_ran,
    words_of,
)

_NODES_FOR_SECONDS = 1.0
_LOOK_SECONDS = 0.03
# A task that is to pull its image takes longer: whoever started it looks again.
_PLACED_WITHIN_SECONDS = 10.0
_WATCH_SECONDS = 1.0
_FOLLOW_SECONDS = 2.0
_ENDED = "dormouse.ended"
_NOWHERE = "node.id==nowhere"


class SwarmRuntime:
    """A service's name is the mutex: of any number that start a replica, one creates it."""

    name = "swarm"
    isolates = True
    watches = True
    pauses = False  # Swarm can't freeze: a quiet model goes from awake to asleep

    def __init__(
        self,
        *,
        installation: str,
        state_dir: Path,
        address: str | None = None,
        catalogue_registry: str = "",
    ) -> None:
        self.installation = installation
        self._registry = catalogue_registry
        self._engine = Engine(address)
        self._images = DockerImages(self._engine, state_dir=state_dir)
        self._machines: dict[str, Machine] = {}
        self._asked_at = -math.inf

    @property
    def warning(self) -> str | None:
        """Nodes whose walls nobody has vouched for; known after the first look."""
        bare = [each.node.name for each in self._machines.values() if not each.walled]
        if not bare:
            return None
        return (
            f"On {len(bare)} nodes models may reach each other and the network. Run "
            f"scripts/node_walls.sh there, then docker node update --label-add {WALLS}=1 for each: "
            f"{', '.join(sorted(bare))}."
        )

    def nodes(self) -> list[Node]:
        """The nodes that are up and take work, as the manager knows them."""
        with answering("The nodes could not be listed"):
            machines = self._look_at_machines().values()
            return [each.node for each in machines if each.takes_more]

    def hold(self, keys: Sequence[str]) -> None:
        """There is nothing to keep, but what runs of dead workers left is cleared away."""
        with answering("What was left behind could not be cleared away"):
            docker_once.clear_away(self._engine, installation=self.installation)

    def start(self, spec: ReplicaSpec) -> Observed:
        """Create the service, or find it; returns when its container runs, or is on its way."""
        if catalogue_slug(spec.image) is None and not is_reference(spec.image):
            raise ReplicaFailed(f"“{spec.image}” isn't an image reference.")
        if spec.internet:
            self._check_way_out(spec.node)
        with answering(f"{spec.name} could not be started"):
            if self._service(spec.name) is None:
                if spec.private:
                    self._images.check_access(spec.image, login=spec.login)
                image = self._images.pinned(spec.image, login=spec.login, registry=self._registry)
                self._create(image, spec)
            return self._placed(spec.name)

    def find(self, name: str) -> Observed | None:
        """Ask the manager for the service and its task."""
        with answering(f"{name} could not be looked up"):
            service = self._service(name)
            if service is None:
                return None
            return self._observed(service, self._tasks_of(service))

    def replicas(self) -> list[Observed]:
        """Two calls, however many there are."""
        with answering("The replicas could not be listed"):
            services = self._client.services(
                filters={"label": f"{box.INSTALLATION}={self.installation}"}
            )
            by_service: dict[str, list[Any]] = {}
            for task in self._client.tasks() if services else ():
                by_service.setdefault(task["ServiceID"], []).append(task)
            return [self._observed(each, by_service.get(each["ID"], [])) for each in services]

    def end(self, name: str, *, grace_seconds: float = 10.0) -> None:
        """Send its task where there is no node: what it wrote stays with the service."""
        with answering(f"{name} could not be stopped"):
            service = self._service(name)
            if service is None or _ENDED in service["Spec"]["Labels"]:
                return
            try:
                self._send_nowhere(service)
            except NotFound:
                return
            except APIError as error:
                if "out of sequence" not in explanation(error):  # somebody else ends it, too
                    raise
            self._wait_for_end(service, seconds=min(grace_seconds, GRACE_SECONDS) + 2)

    def stop(self, name: str, *, grace_seconds: float = 10.0) -> None:
        """End it, then remove the service; the grace is what the service was made with."""
        self.end(name, grace_seconds=grace_seconds)
        with answering(f"{name} could not be removed"):
            with suppress(NotFound):
                self._client.remove_service(
                    box.container_name(name, installation=self.installation)
                )
            self._remove_secrets(name)

    def pause(self, name: str) -> None:
        """Swarm can't; what runs goes on."""

    def resume(self, name: str) -> bool:
        """Whether it runs: nothing is ever paused."""
        found = self.find(name)
        return found is not None and found.status == Status.RUNNING

    def deaths(self) -> Iterator[str]:
        """Look once a second: a manager's events tell of services, not of what runs on a node."""
        alive: set[str] = set()
        ended: set[str] | None = None
        while True:
            with answering("The manager could not be asked"):
                self._engine.knock()
            seen = self.replicas()
            running = {each.name for each in seen if each.status == Status.RUNNING}
            over = {each.name for each in seen} - running
            yield from (alive - running) | (over - (over if ended is None else ended))
            alive, ended = running, over
            time.sleep(_WATCH_SECONDS)

    def log(self, name: str, *, after: int = 0, follow: bool = False) -> Iterator[Output]:
        """Both streams, from whichever node it runs on; followed, it is asked for again.

        A manager's stream does not end with the task.
        """
        told: dict[str, int] = {}
        with answering(f"The log of {name} could not be read"):
            while True:
                service = self._service(name)
                task = that_ran(self._tasks_of(service)) if service else None
                if task is None:
                    return
                since = min(told.values(), default=after)
                chunks = self._engine.log(f"tasks/{task['ID']}", since, False)
                for output in docker_log.lines(chunks):
                    if output.at > told.get(output.stream, after):
                        told[output.stream] = output.at
                        yield output
                if not follow or state_of(task) not in ALIVE:
                    return
                time.sleep(_FOLLOW_SECONDS)

    def output_of(self, spec: ReplicaSpec, *, seconds: float) -> str:
        """On the manager's own engine, which has or gets the image: no service is needed."""
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
        """Whether the manager's engine has the image of this fingerprint."""
        with answering(f"The image of {recipe.slug} could not be looked up"):
            built = self._images.is_built(recipe)
            return built and (
                not self._registry or self._images.is_pushed(recipe, to=self._registry)
            )

    def build(self, recipe: Recipe, *, progress: Progress) -> None:
        """Build on the manager's engine, once: a second image would have an ID that no node knows.

        Nodes pull it from the registry for the catalogue, or an operator has copied it there.
        """
        with answering(f"The image of {recipe.slug} could not be looked up"):
            built = self._images.is_built(recipe)
        if not built:
            self._images.build(recipe, progress=progress)
        if self._registry:
            self._images.push(recipe, to=self._registry)

    @property
    def _client(self) -> Any:
        """The SDK's types know little of services."""
        return self._engine.client

    def _client_of(self, spec: ReplicaSpec) -> Any:
        """One that hands the login on to the node: the SDK takes it from its client alone."""
        return self._engine.client_with(spec.login, registry=registry_of(spec.image))

    def _service(self, name: str) -> dict[str, Any] | None:
        wanted = box.container_name(name, installation=self.installation)
        try:
            service: dict[str, Any] = self._client.inspect_service(wanted)
        except NotFound:
            return None
        return service

    def _tasks_of(self, service: Mapping[str, Any]) -> list[dict[str, Any]]:
        try:
            return list(self._client.tasks(filters={"service": service["ID"]}))
        except NotFound:  # removed since
            return []

    def _create(self, image: str, spec: ReplicaSpec) -> None:
        labels = box.labels(spec, installation=self.installation)
        secrets = [self._secret(spec, file, labels=labels) for file in spec.files]
        try:
            self._client_of(spec).create_service(
                task_template(image, spec, labels=labels, secrets=secrets),
                name=box.container_name(spec.name, installation=self.installation),
                labels=labels,
                mode=ServiceMode("replicated", replicas=1),
                # The kernel may have no virtual addresses; a port of the node is also faster.
                endpoint_spec=EndpointSpec(mode="dnsrr", ports=[port_of(spec.port)]),
            )
        except APIError as error:
            if error.status_code != 409 and "name conflicts" not in explanation(error):
                raise

    def _secret(self, spec: ReplicaSpec, file: str, *, labels: dict[str, str]) -> SecretReference:
        """The manager keeps it encrypted; the node has it in memory, for this container alone."""
        container = box.container_name(spec.name, installation=self.installation)
        name = f"{container}.{zlib.crc32(file.encode()):08x}"
        try:
            made = self._client.create_secret(name, spec.files[file].encode(), labels=labels)
        except APIError as error:
            if error.status_code != 409:
                raise
            made = self._client.inspect_secret(name)  # of a worker that died here
        user = str(box.UID)
        return SecretReference(made["ID"], name, filename=file, uid=user, gid=user, mode=0o400)

    def _remove_secrets(self, name: str) -> None:
        ours = {"label": f"{box.INSTALLATION}={self.installation}"}
        for secret in self._client.secrets(filters=ours):
            if secret["Spec"]["Labels"].get(box.REPLICA) == name:
                with suppress(NotFound):
                    self._client.remove_secret(secret["ID"])

    def _check_way_out(self, node: str) -> None:
        """Without its walls nobody goes out."""
        with answering("The nodes could not be listed"):
            machines = self._look_at_machines().values()
        chosen = [each.node for each in machines if node in (LOCAL, each.node.name)]
        if not any(each.lets_out for each in chosen):
            raise ReplicaFailed(
                "It may reach the internet, but no node that it may run on has walls around that "
                "way. Run scripts/node_internet.sh there, then docker node update --label-add "
                f"{INTERNET}=1 for each."
            )

    def _placed(self, name: str) -> Observed:
        """Wait until it has an address, or is known to get none."""
        deadline = time.monotonic() + _PLACED_WITHIN_SECONDS
        while True:
            service = self._service(name)
            if service is None:
                raise ReplicaFailed(f"{name} was stopped while it started.")
            tasks = self._tasks_of(service)
            refused = next((each for each in tasks if state_of(each) == "rejected"), None)
            if refused is not None:
                self._client.remove_service(service["ID"])
                said = f"{name} could not be started: {words_of(refused)}"
                raise (ImageMissing if lacks_image(refused) else ReplicaFailed)(said)
            found = self._observed(service, tasks)
            if found.host or found.status == Status.EXITED or time.monotonic() > deadline:
                return found
            time.sleep(_LOOK_SECONDS)

    def _observed(self, service: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> Observed:
        labels = service["Spec"]["Labels"]
        name, given = labels.get(box.REPLICA, service["Spec"]["Name"]), box.given_labels(labels)
        task = that_ran(tasks)
        if _ENDED in labels and (task is None or state_of(task) in ALIVE):
            return Observed(name, Status.EXITED, labels=given)
        node = node_of(service, task)
        machine = self._look_at_machines().get(node)
        if node and machine is None and (task is None or state_of(task) in ALIVE | {"orphaned"}):
            return Observed(name, Status.EXITED, lost=True, labels=given)
        if task is None or state_of(task) in COMING:
            return Observed(name, Status.RUNNING, labels=given)
        if state_of(task) != "running" or machine is None:
            container = task["Status"].get("ContainerStatus", {})
            code = container.get("ExitCode")
            killed = code == KILLED and state_of(task) == "failed" and _ENDED not in labels
            return Observed(
                name,
                Status.EXITED,
                exit_code=code,
                out_of_memory=killed and self._had_no_memory(container.get("ContainerID", "")),
                labels=given,
            )
        ports = task["Status"].get("PortStatus", {}).get("Ports", [])
        port = ports[0]["PublishedPort"] if ports else None
        host = machine.address if port else None
        return Observed(name, Status.RUNNING, host=host, port=port, labels=given)

    def _had_no_memory(self, container: str) -> bool:
        """What killed it, when we didn't. Only the engine of its node was told by the kernel, and a
        manager can ask no other than its own: elsewhere the limit is by far the likeliest.
        """
        try:
            return bool(self._client.inspect_container(container)["State"]["OOMKilled"])
        except NotFound:
            return True

    def _send_nowhere(self, service: Mapping[str, Any]) -> None:
        spec = service["Spec"]
        self._client.update_service(
            service["ID"],
            service["Version"]["Index"],
            name=spec["Name"],
            labels={**spec["Labels"], _ENDED: "1"},
            task_template={**spec["TaskTemplate"], "Placement": {"Constraints": [_NOWHERE]}},
            fetch_current_spec=True,
        )

    def _wait_for_end(self, service: Mapping[str, Any], *, seconds: float) -> None:
        """Its node says so; one that is away says nothing, and has nothing of ours to wait for."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            task = that_ran(self._tasks_of(service))
            away = task is not None and task["NodeID"] not in self._look_at_machines()
            if task is None or away or state_of(task) not in ALIVE:
                return
            time.sleep(_LOOK_SECONDS)

    def _look_at_machines(self) -> dict[str, Machine]:
        now = time.monotonic()
        if now - self._asked_at > _NODES_FOR_SECONDS:
            nodes = self._client.nodes()
            up = [each for each in nodes if each["Status"]["State"] in UP]
            self._machines = {each["ID"]: machine_of(each) for each in up}
            self._asked_at = now
        return self._machines
