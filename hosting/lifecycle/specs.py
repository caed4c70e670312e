"""What a new revision is asked to be, before it is a row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hosting import catalogue


@dataclass(frozen=True, slots=True)
class RevisionSpec:
    """What to run. Empty or None: the catalogue entry's or the protocol's default."""

    image: str  # "catalogue:<slug>" or an image reference
    protocol: str
    port: int | None = None
    health_path: str = ""
    query_path: str = ""
    info_path: str = ""
    command: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    memory_mb: int = 512
    cpus: float = 1.0
    gpus: int = 0
    concurrency: int | None = None
    internet: bool = False  # whether the model may reach the internet


def catalogue_spec(
    slug: str, *, command: str = "", options: Mapping[str, Any] | None = None
) -> RevisionSpec:
    """The revision a catalogue entry asks for. Raises InvalidValue when there is no such entry."""
    entry = catalogue.demand(slug)
    return RevisionSpec(
        image=f"catalogue:{slug}",
        protocol=entry.protocol,
        port=entry.port,
        command=command or entry.command,
        options=dict(options or {}),
        memory_mb=entry.resources.memory_mb,
        cpus=entry.resources.cpus,
    )
