"""The contract of a runtime: a driver that starts, finds and stops replicas. No Django here.

Every method may be repeated: "already there" and "already gone" are success. Every method raises
RuntimeUnavailable when the engine doesn't answer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

SECRETS_VARIABLE = "DORMOUSE_SECRETS"


class Status(StrEnum):
    """What the engine says of a replica."""

    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Resources:
    """The limits of one replica."""

    memory_mb: int = 512
    cpus: float = 1.0
    pids: int = 256
    gpus: int = 0


# The only node of a runtime that has one.
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that takes replicas, and what it has in all."""

    name: str
    memory_mb: int
    cpus: float
    gpus: int = 0
    lets_out: bool = True  # whether models may be let out to the internet from there


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the registry of an image."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReplicaSpec:
    """All a runtime needs to start one replica. `name` is derived from the replica's row id."""

    name: str
    image: str  # "catalogue:<slug>" or an image reference
    port: int  # the port the server inside listens on (runtimes that share a host choose another)
    environment: Mapping[str, str] = field(repr=False)
    resources: Resources
    arguments: Sequence[str] = ()  # overrides the image's command where given
    labels: Mapping[str, str] = field(default_factory=dict)
    # Secrets: name and content of files only the server may read, in the folder SECRETS_VARIABLE
    # names. Kept in memory, never on a disk.
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    internet: bool = False  # whether it may reach the internet, where a runtime isolates
    port_variable: str = "PORT"  # the variable a process runtime sets when it chooses the port
    login: Login | None = None
    private: bool = False  # its registry must let us have it, even if the engine has it already
    node: str = LOCAL  # the node that was chosen for it
    holder: str = ""  # the key under which its network may be kept, if it is its model's only one


@dataclass(frozen=True, slots=True)
class Observed:
    """One replica as the engine sees it now."""

    name: str
    status: Status
    host: str | None = None  # where the host reaches it
    port: int | None = None
    exit_code: int | None = None
    out_of_memory: bool = False
    paused: bool = False  # running, but frozen: it takes connections and never answers
    lost: bool = False  # exited, as far as can be told: its node went away
    labels: Mapping[str, str] = field(default_factory=dict)


class Stream:
    """Where a line of output came from."""

    OUT = "stdout"
    ERR = "stderr"


@dataclass(frozen=True, slots=True)
class Output:
    """One line a replica wrote, without its end. Within a stream `at` only rises."""

    at: int  # nanoseconds since 1970
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a catalogue entry is built: the folder it lives in and what it is made of."""

    slug: str
    folder: Path
    requirements: Sequence[str]  # pip requirements, pinned
    packages: Sequence[str]  # Debian packages beside the base
    build_steps: Sequence[Sequence[str]]  # commands run in the build folder, e.g. training
    arguments: Sequence[str]  # what starts the server, e.g. ["python", "server.py"]
    fingerprint: str  # changes when anything else here changes, file contents included
    include: Sequence[Path] = ()  # folders whose files are copied in before its own


# Called while a build runs: (step number from 1, steps in all, what is being done).
Progress = Callable[[int, int, str], None]


class Runtime(Protocol):
    """A driver. One instance serves one installation: it sees only replicas with its label."""

    name: str
    isolates: bool  # False: replicas share the host's files and network
    watches: bool  # whether `deaths` tells; else only looking does
    pauses: bool  # whether a replica can be frozen, its memory kept

    @property
    def warning(self) -> str | None:
        """What a person should know of how models are kept apart here, and what to do."""

    def nodes(self) -> list[Node]:
        """The machines that take replicas now; asked on each wake, so answered at once."""

    def hold(self, keys: Sequence[str]) -> None:
        """Keep the networks of these, by `ReplicaSpec.holder`, and no others: they start sooner.

        Takes a moment, and is called regularly: what `output_of` left when its worker died is
        removed as well. Keeps nothing where nothing can be kept.
        """

    def start(self, spec: ReplicaSpec) -> Observed:
        """Start the replica, or find it under its name. Raises ReplicaFailed for a bad image."""

    def find(self, name: str) -> Observed | None:
        """The replica of this name, running or exited; None when the engine has none."""

    def replicas(self) -> list[Observed]:
        """Every replica of this installation."""

    def end(self, name: str, *, grace_seconds: float = 10.0) -> None:
        """SIGTERM, grace, SIGKILL; what it wrote stays until `stop`. Paused is no obstacle."""

    def stop(self, name: str, *, grace_seconds: float = 10.0) -> None:
        """`end` it and remove it with all it wrote. Gone already is success."""

    def pause(self, name: str) -> None:
        """Freeze the replica. One that has ended or is gone stays as it is."""

    def resume(self, name: str) -> bool:
        """Let a paused replica go on; whether it runs, paused before or not."""

    def deaths(self) -> Iterator[str]:
        """Names of replicas as they end, by themselves or stopped. Ends when the engine goes away.

        What ended before the first call, or between two, is not told.
        """

    def log(self, name: str, *, after: int = 0, follow: bool = False) -> Iterator[Output]:
        """What the replica has written since that time, in the order it came; nothing if gone.

        Followed, it goes on until the replica ends, or until the engine goes away: ask again then,
        with the time of the last line. Of a replica that writes a lot only the last part is kept.
        """

    def output_of(self, spec: ReplicaSpec, *, seconds: float) -> str:
        """Run once, without a network where that is possible, and return what stdout got.

        Raises ReplicaFailed when it fails or takes longer. No replica: it is never listed.
        """

    def label_of(self, spec: ReplicaSpec, label: str) -> str:
        """A label of the image, which is not run; empty where there is none.

        A missing image is pulled. Raises ReplicaFailed.
        """

    def is_built(self, recipe: Recipe) -> bool:
        """Whether the catalogue image of exactly this fingerprint is there."""

    def build(self, recipe: Recipe, *, progress: Progress) -> None:
        """Build the catalogue image; may take minutes. Raises BuildFailed."""
