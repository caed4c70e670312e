"""Replicas as services of a Docker Swarm: one service, one task, on the node that was chosen.

Swarm starts containers on other machines and tells what became of them. It decides nothing: the
node comes from the replica's row, and a task that ended is never started again, there or elsewhere.
"""

import math
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import (
    ContainerSpec,
    DriverConfig,
    EndpointSpec,
    Healthcheck,
    Mount,
    Resources,
    RestartPolicy,
    SecretReference,
    ServiceMode,
    TaskTemplate,
)

from hosting.errors import ReplicaFailed
from hosting.runtimes import box, docker_log
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
from hosting.runtimes.images import catalogue_slug, is_reference

WALLS = "dormouse.walls"  # a label an operator gives to a node whose models are walled in

_GRACE_SECONDS = 10
_NODES_FOR_SECONDS = 1.0
_LOOK_SECONDS = 0.03
# A task that is to pull its image takes longer: whoever started it looks again.
_PLACED_WITHIN_SECONDS = 10.0
_WATCH_SECONDS = 1.0
_FOLLOW_SECONDS = 2.0
_COMING = frozenset(
    ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "allocated")
)
_ALIVE = _COMING | {"running"}
_ENDED = "dormouse.ended"
_NOWHERE = "node.id==nowhere"


@dataclass(frozen=True, slots=True)
class _Machine:
    node: Node
    address: str
    walled: bool
    takes_more: bool  # an operator may close a node without taking its models away


class SwarmRuntime:
    """A service's name is the mutex: of any number that start a replica, one creates it."""

    name = "swarm"
    isolates = True
    watches = True
    pauses = False  # Swarm can't freeze: a quiet model goes from awake to asleep

    def __init__(self, *, installation: str, state_dir: Path, address: str | None = None) -> None:
        self.installation = installation
        self._engine = Engine(address)
        self._images = DockerImages(self._engine, state_dir=state_dir)
        self._machines: dict[str, _Machine] = {}
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
        """There is nothing to keep."""

    def start(self, spec: ReplicaSpec) -> Observed:
        """Create the service, or find it; returns when its container runs, or is on its way."""
        if catalogue_slug(spec.image) is None and not is_reference(spec.image):
            raise ReplicaFailed(f"“{spec.image}” isn't an image reference.")
        with answering(f"{spec.name} could not be started"):
            if self._service(spec.name) is None:
                self._create(self._images.pinned(spec.image), spec)
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
            self._wait_for_end(service, seconds=min(grace_seconds, _GRACE_SECONDS) + 2)

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
                task = _that_ran(self._tasks_of(service)) if service else None
                if task is None:
                    return
                since = min(told.values(), default=after)
                chunks = self._engine.log(f"tasks/{task['ID']}", since, False)
                for output in docker_log.lines(chunks):
                    if output.at > told.get(output.stream, after):
                        told[output.stream] = output.at
                        yield output
                if not follow or _state(task) not in _ALIVE:
                    return
                time.sleep(_FOLLOW_SECONDS)

    def is_built(self, recipe: Recipe) -> bool:
        """Whether the manager's engine has the image of this fingerprint."""
        with answering(f"The image of {recipe.slug} could not be looked up"):
            return self._images.is_built(recipe)

    def build(self, recipe: Recipe, *, progress: Progress) -> None:
        """Build on the manager's engine; nodes have it from the registry or from an operator.

        Never twice: the second image would have another ID, which no node knows.
        """
        if not self.is_built(recipe):
            self._images.build(recipe, progress=progress)

    @property
    def _client(self) -> Any:
        """The SDK's types know little of services."""
        return self._engine.client

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
            self._client.create_service(
                _task(image, spec, labels=labels, secrets=secrets),
                name=box.container_name(spec.name, installation=self.installation),
                labels=labels,
                mode=ServiceMode("replicated", replicas=1),
                # The kernel may have no virtual addresses; a port of the node is also faster.
                endpoint_spec=EndpointSpec(mode="dnsrr", ports=[_port(spec.port)]),
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

    def _placed(self, name: str) -> Observed:
        """Wait until it has an address, or is known to get none."""
        deadline = time.monotonic() + _PLACED_WITHIN_SECONDS
        while True:
            service = self._service(name)
            if service is None:
                raise ReplicaFailed(f"{name} was stopped while it started.")
            tasks = self._tasks_of(service)
            refused = next((each for each in tasks if _state(each) == "rejected"), None)
            if refused is not None:
                self._client.remove_service(service["ID"])
                raise ReplicaFailed(f"{name} could not be started: {_words(refused)}")
            found = self._observed(service, tasks)
            if found.host or found.status == Status.EXITED or time.monotonic() > deadline:
                return found
            time.sleep(_LOOK_SECONDS)

    def _observed(self, service: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> Observed:
        labels = service["Spec"]["Labels"]
        name, given = labels.get(box.REPLICA, service["Spec"]["Name"]), box.given_labels(labels)
        task = _that_ran(tasks)
        if _ENDED in labels and (task is None or _state(task) in _ALIVE):
            return Observed(name, Status.EXITED, labels=given)
        if task is None or _state(task) in _COMING:
            return Observed(name, Status.RUNNING, labels=given)
        machine = self._look_at_machines().get(task.get("NodeID", ""))
        if _state(task) != "running" or machine is None:  # the node is away, and its models with it
            code = task["Status"].get("ContainerStatus", {}).get("ExitCode")
            return Observed(name, Status.EXITED, exit_code=code, labels=given)
        ports = task["Status"].get("PortStatus", {}).get("Ports", [])
        port = ports[0]["PublishedPort"] if ports else None
        host = machine.address if port else None
        return Observed(name, Status.RUNNING, host=host, port=port, labels=given)

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
            task = _that_ran(self._tasks_of(service))
            away = task is not None and task["NodeID"] not in self._look_at_machines()
            if task is None or away or _state(task) not in _ALIVE:
                return
            time.sleep(_LOOK_SECONDS)

    def _look_at_machines(self) -> dict[str, _Machine]:
        now = time.monotonic()
        if now - self._asked_at > _NODES_FOR_SECONDS:
            nodes = self._client.nodes()
            up = [each for each in nodes if each["Status"]["State"] == "ready"]
            self._machines = {each["ID"]: _machine(each) for each in up}
            self._asked_at = now
        return self._machines


def _port(inside: int) -> dict[str, Any]:
    """The engine chooses one of the node's own ports."""
    return {"Protocol": "tcp", "TargetPort": inside, "PublishMode": "host"}


def _task(
    image: str, spec: ReplicaSpec, *, labels: dict[str, str], secrets: list[SecretReference]
) -> TaskTemplate:
    """The box of a replica, as far as Swarm can build it; each node's daemon.json does the rest."""
    memory = spec.resources.memory_mb * 1024 * 1024
    gpus: dict[str, int | str] | None = (
        {"gpu": spec.resources.gpus} if spec.resources.gpus else None
    )
    resources = Resources(
        cpu_limit=int(spec.resources.cpus * 1_000_000_000),
        mem_limit=memory,
        mem_reservation=memory,
        generic_resources=gpus,
    )
    resources["Limits"]["Pids"] = spec.resources.pids
    container = ContainerSpec(
        image,
        args=list(spec.arguments) or None,
        env=[f"{name}={value}" for name, value in box.environment(spec).items()],
        user=box.USER,
        labels=labels,
        init=True,
        read_only=True,
        cap_drop=["ALL"],
        mounts=[Mount("/tmp", None, type="tmpfs", tmpfs_size=box.TMP_MB * 1024 * 1024)],  # noqa: S108
        secrets=secrets,
        healthcheck=Healthcheck(test=["NONE"]),
        stop_grace_period=_GRACE_SECONDS * 1_000_000_000,
    )
    return TaskTemplate(
        container,
        resources=resources,
        restart_policy=RestartPolicy(condition="none"),
        placement=None if spec.node == LOCAL else [f"node.id=={spec.node}"],
        log_driver=DriverConfig("json-file", options=box.LOG_OPTIONS),
    )


def _machine(row: Mapping[str, Any]) -> _Machine:
    has = row["Description"]["Resources"]
    gpus = 0
    for each in has.get("GenericResources") or ():
        if number := each.get("DiscreteResourceSpec"):
            gpus += number["Value"] if number["Kind"] == "gpu" else 0
        elif one := each.get("NamedResourceSpec"):
            gpus += one["Kind"] == "gpu"
    node = Node(
        row["ID"],
        memory_mb=has["MemoryBytes"] // (1024 * 1024),
        cpus=has["NanoCPUs"] / 1_000_000_000,
        gpus=gpus,
    )
    address = row["Status"].get("Addr", "")
    if address in ("", "0.0.0.0", "127.0.0.1"):  # noqa: S104  # a manager that knows itself
        address = row.get("ManagerStatus", {}).get("Addr", "").rpartition(":")[0]
    return _Machine(
        node,
        address,
        walled=WALLS in (row["Spec"].get("Labels") or {}),
        takes_more=row["Spec"]["Availability"] == "active",
    )


def _that_ran(tasks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The task that has a node, or is to get one: not the one that was sent nowhere."""
    placed = [each for each in tasks if each.get("NodeID")]
    return min(placed, key=lambda each: str(each["CreatedAt"]), default=None)


def _state(task: Mapping[str, Any]) -> str:
    return str(task["Status"]["State"])


def _words(task: Mapping[str, Any]) -> str:
    said = task["Status"].get("Err") or task["Status"].get("Message") or "no reason given"
    return str(said).strip().rstrip(".") + "."
