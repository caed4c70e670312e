"""Holders: tiny containers that keep a network namespace and its address while a model sleeps.

A replica that joins one skips the engine's making of a sandbox and an endpoint, which is more than
half of a cold start. Each belongs to one model: an address never passes from one to another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import LogConfig

from hosting.runtimes import box
from hosting.runtimes.docker_images import BASE_IMAGE
from hosting.runtimes.engine import Engine
from hosting.runtimes.network import ModelNetwork

_HOLDER = "dormouse.holder"  # on a holder: of which installation
_OF = "dormouse.holder.of"  # on a holder: whom it is kept for
JOINED = "dormouse.joined"  # on a replica: the id of the holder it joined
ADDRESS = "dormouse.address"  # on a replica that joined: the holder's address
# Each takes 230 ms to make, and the engine has other things to do.
_MADE_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Holder:
    """One that runs."""

    id: str
    address: str

    @property
    def labels(self) -> dict[str, str]:
        """What a replica that joins it is labelled with."""
        return {JOINED: self.id, ADDRESS: self.address}


class Holders:
    """Those of one installation on one engine."""

    def __init__(self, engine: Engine, network: ModelNetwork, *, installation: str) -> None:
        self._engine = engine
        self._network = network
        self._installation = installation

    def find(self, key: str) -> Holder | None:
        """The holder that is kept under this key, if it runs."""
        try:
            found = self._engine.client.inspect_container(self._name(key))
        except NotFound:
            return None
        address = box.address(found)
        running = found["State"]["Running"] and address
        return Holder(found["Id"], address) if running and address else None

    def keep(self, keys: Iterable[str]) -> None:
        """Have a holder for each of these, and no other; makes a few at a time."""
        wanted = dict.fromkeys(keys)
        rows = self._rows(all=True)
        running = {row["Labels"][_OF] for row in rows if row["State"] == "running"}
        for row in rows:
            if row["State"] != "running" or row["Labels"][_OF] not in wanted:
                self._remove(row["Id"])
        for key in [each for each in wanted if each not in running][:_MADE_AT_ONCE]:
            if not self._make(key):
                return

    def alive(self) -> set[str]:
        """The ids of all that run."""
        return {row["Id"] for row in self._rows()}

    def _rows(self, *, all: bool = False) -> list[Mapping[str, Any]]:
        filters = {"label": f"{_HOLDER}={self._installation}"}
        return list(self._engine.client.containers(all=all, filters=filters))

    def _make(self, key: str) -> bool:
        """False where there is no image to make one of: models then start without."""
        client = self._engine.client
        try:
            client.create_container(
                BASE_IMAGE,
                name=self._name(key),
                command=["sleep", "infinity"],
                user=box.USER,
                labels={_HOLDER: self._installation, _OF: key},
                healthcheck={"test": ["NONE"]},
                host_config=client.create_host_config(
                    network_mode=self._network.name,
                    read_only=True,
                    mem_limit="16m",
                    memswap_limit="16m",
                    pids_limit=32,  # the starter's threads count too, and vary with the load
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    log_config=LogConfig(type=LogConfig.types.JSON, config=box.LOG_OPTIONS),
                    **box.RESOLVER,
                ),
            )
        except NotFound:
            return False
        except APIError as error:
            if error.status_code != 409:  # somebody else makes it
                raise
            return True
        client.start(self._name(key))
        return True

    def _remove(self, container: str) -> None:
        try:
            self._engine.client.remove_container(container, force=True)
        except APIError as error:
            if error.status_code not in (404, 409):
                raise

    def _name(self, key: str) -> str:
        return f"{self._installation}-holder-{key}"
