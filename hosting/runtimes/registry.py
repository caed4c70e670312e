"""Which driver runs the replicas of this installation."""

import re
from pathlib import Path

from hosting.errors import InvalidValue
from hosting.runtimes.base import Runtime
from hosting.runtimes.docker import DEFAULT_NETWORK, DockerRuntime
from hosting.runtimes.engine import Engine
from hosting.runtimes.process import ProcessRuntime
from hosting.runtimes.swarm import SwarmRuntime

_INSTALLATION = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


def runtime(
    name: str,
    *,
    installation: str,
    state_dir: Path,
    network: str = DEFAULT_NETWORK,
    engine_address: str | None = None,
    secrets_dir: Path | None = None,
    secrets_volume: str = "",
    catalogue_registry: str = "",
) -> Runtime:
    """Make the driver. `auto`: containers if an engine answers, else processes.

    `installation` names this set-up among all that share an engine: two set-ups of one name would
    take each other's replicas for orphans.
    """
    if not _INSTALLATION.fullmatch(installation):
        raise InvalidValue(
            "Name the installation with up to 31 of a-z, 0-9 and hyphens.", field="installation"
        )
    chosen = detect(engine_address=engine_address) if name == "auto" else name
    if chosen == "docker":
        return DockerRuntime(
            installation=installation,
            state_dir=state_dir,
            network=network,
            address=engine_address,
            secrets_dir=secrets_dir,
            secrets_volume=secrets_volume,
        )
    if chosen == "swarm":
        return SwarmRuntime(
            installation=installation,
            state_dir=state_dir,
            address=engine_address,
            catalogue_registry=catalogue_registry,
        )
    if chosen == "process":
        return ProcessRuntime(
            installation=installation, state_dir=state_dir, secrets_dir=secrets_dir
        )
    raise InvalidValue(
        f"Unknown runtime “{name}”. Use auto, docker, swarm or process.", field="runtime"
    )


def detect(*, engine_address: str | None = None) -> str:
    """Say "docker" when an engine answers here and now, else "process"."""
    return "docker" if Engine(engine_address).is_there() else "process"
