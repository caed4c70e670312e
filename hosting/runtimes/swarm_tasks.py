"""What a Swarm is told of a replica, and what it tells of tasks and nodes, in our words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docker.types import (
    ContainerSpec,
    DriverConfig,
    Healthcheck,
    Mount,
    NetworkAttachmentConfig,
    Resources,
    RestartPolicy,
    SecretReference,
    TaskTemplate,
)

from hosting.runtimes import box
from hosting.runtimes.base import LOCAL, Node, ReplicaSpec

WALLS = "dormouse.walls"  # a label an operator gives to a node whose models are walled in
INTERNET = "dormouse.internet"  # likewise, to one that has a way out for models
WAY_OUT = "dormouse-internet"  # the network there; both by scripts/node_internet.sh
GRACE_SECONDS = 10
_ON = "node.id=="
KILLED = 128 + 9  # by the kernel for its memory, or by somebody
COMING = frozenset(
    ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "allocated")
)
ALIVE = COMING | {"running"}
# A manager that has just taken over, or was restarted, has not heard of its nodes yet.
UP = frozenset(("ready", "unknown"))


@dataclass(frozen=True, slots=True)
class Machine:
    """A node that is up, and what an operator said of it."""

    node: Node
    address: str
    walled: bool
    takes_more: bool  # an operator may close a node without taking its models away


def port_of(inside: int) -> dict[str, Any]:
    """The engine chooses one of the node's own ports."""
    return {"Protocol": "tcp", "TargetPort": inside, "PublishMode": "host"}


def task_template(
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
        stop_grace_period=GRACE_SECONDS * 1_000_000_000,
    )
    most = {"Name": "nofile", "Soft": box.OPEN_FILES, "Hard": box.OPEN_FILES}
    container["Ulimits"] = [most]  # the SDK's type has no word for it
    return TaskTemplate(
        container,
        resources=resources,
        restart_policy=RestartPolicy(condition="none"),
        placement=_where(spec) or None,
        networks=[NetworkAttachmentConfig(WAY_OUT)] if spec.internet else None,
        log_driver=DriverConfig("json-file", options=box.LOG_OPTIONS),
    )


def _where(spec: ReplicaSpec) -> list[str]:
    chosen = [] if spec.node == LOCAL else [_ON + spec.node]
    return chosen + ([f"node.labels.{INTERNET}==1"] if spec.internet else [])


def machine_of(row: Mapping[str, Any]) -> Machine:
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
        lets_out=(row["Spec"].get("Labels") or {}).get(INTERNET) == "1",
    )
    address = row["Status"].get("Addr", "")
    if address in ("", "0.0.0.0", "127.0.0.1"):  # noqa: S104  # a manager that knows itself
        address = row.get("ManagerStatus", {}).get("Addr", "").rpartition(":")[0]
    return Machine(
        node,
        address,
        walled=WALLS in (row["Spec"].get("Labels") or {}),
        takes_more=row["Spec"]["Availability"] == "active" and row["Status"]["State"] == "ready",
    )


def that_ran(tasks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The task that has a node, or is to get one: not the one that was sent nowhere."""
    placed = [each for each in tasks if each.get("NodeID")]
    return min(placed, key=lambda each: str(each["CreatedAt"]), default=None)


def node_of(service: Mapping[str, Any], task: Mapping[str, Any] | None) -> str:
    """The node its task is on, or else the one it was chosen for; empty: any."""
    if task is not None:
        return str(task["NodeID"])
    placement = service["Spec"]["TaskTemplate"].get("Placement") or {}
    chosen = [each for each in placement.get("Constraints") or () if each.startswith(_ON)]
    return str(chosen[0].removeprefix(_ON)) if chosen else ""


def state_of(task: Mapping[str, Any]) -> str:
    return str(task["Status"]["State"])


def lacks_image(task: Mapping[str, Any]) -> bool:
    """Whether its node has no such image, and could not pull it either."""
    return words_of(task).startswith("No such image")


def words_of(task: Mapping[str, Any]) -> str:
    said = task["Status"].get("Err") or task["Status"].get("Message") or "no reason given"
    return str(said).strip().rstrip(".") + "."
