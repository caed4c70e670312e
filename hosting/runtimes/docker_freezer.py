"""Pausing Docker's containers: by the kernel's freezer where that obeys us, else by the engine.

The engine knows nothing of what the kernel froze: it says that it runs, refuses to pause or to
unpause it, and its SIGTERM is not heard. So whoever asks whether a replica is paused, or ends one,
asks here. What the engine paused, it has to let go of itself: else it would say so for ever.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound

from hosting.runtimes import cgroup_freezer
from hosting.runtimes.cgroup_freezer import CgroupFreezer
from hosting.runtimes.engine import RUNNING, Engine, explanation

_PAUSED = "paused"
# Containers that others have removed are not told of; looking again costs one call each.
_MOST_KNOWN = 10_000


class DockerFreezer:
    """That of one engine; use it inside `answering`. Containers are given by their names."""

    def __init__(self, engine: Engine, *, cgroups: Path = cgroup_freezer.ROOT) -> None:
        self._engine = engine
        self._cgroups = cgroups
        self._in_reach = cgroup_freezer.obeys(root=cgroups)
        # Of containers that ran, and were not paused by the engine, when we last looked.
        self._known: dict[str, CgroupFreezer] = {}

    def freeze(self, container: str) -> None:
        """One that has ended or is gone stays as it is. Raises ReplicaFailed."""
        freezer = self._of(container)
        if freezer is not None:
            freezer.freeze()
        else:
            self._pause(container)

    def thaw(self, container: str) -> bool:
        """Whether it runs, frozen before or not. Raises ReplicaFailed."""
        if not self._in_reach:
            return self._unpause(container)
        known = self._known.get(container)
        if known is not None and known.thaw():
            return True
        inspected = self._inspect(container)
        if inspected is None or inspected["State"]["Status"] not in RUNNING:
            return False
        freezer = self._see(inspected)
        if freezer is None or inspected["State"]["Status"] == _PAUSED:
            return self._unpause(container)
        return freezer.thaw()

    def is_frozen(self, inspected: Mapping[str, Any]) -> bool:
        """Whether one that runs, as the engine shows it, stands still."""
        freezer = self._see(inspected)
        if freezer is None:
            return bool(inspected["State"]["Status"] == _PAUSED)
        return freezer.is_frozen()

    def release(self, container: str) -> None:
        """Let it hear the signal that is to end it; what the engine paused hears it anyway."""
        freezer = self._of(container)
        self._known.pop(container, None)
        if freezer is not None:
            freezer.thaw()

    def _of(self, container: str) -> CgroupFreezer | None:
        """Its freezer, where that obeys us."""
        if not self._in_reach:
            return None
        known = self._known.get(container)
        if known is not None:
            return known
        inspected = self._inspect(container)
        return self._see(inspected) if inspected else None

    def _see(self, inspected: Mapping[str, Any]) -> CgroupFreezer | None:
        """The freezer of one that runs, if only to look at; noted where the engine agrees."""
        container = inspected["Name"].lstrip("/")
        freezer = self._known.pop(container, None)
        if freezer is None or inspected["Id"] not in freezer.folder.name:
            freezer = cgroup_freezer.find(inspected["Id"], root=self._cgroups)
        if freezer is not None and self._in_reach and inspected["State"]["Status"] == "running":
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[container] = freezer
        return freezer

    def _inspect(self, container: str) -> Mapping[str, Any] | None:
        try:
            inspected: Mapping[str, Any] = self._engine.client.inspect_container(container)
        except NotFound:
            return None
        return inspected

    def _pause(self, container: str) -> None:
        try:
            self._engine.client.pause(container)
        except NotFound:
            return
        except APIError as error:
            if not _is_already(error):
                raise

    def _unpause(self, container: str) -> bool:
        """One call where the engine paused it."""
        try:
            self._engine.client.unpause(container)
        except NotFound:
            return False
        except APIError as error:
            if not _is_already(error):
                raise
            inspected = self._inspect(container)
            if inspected is None or inspected["State"]["Status"] not in RUNNING:
                return False
            # Frozen by a worker that was root, and out of our reach: as good as ended.
            freezer = self._see(inspected)
            return freezer is None or not freezer.is_frozen()
        return True


def _is_already(error: APIError) -> bool:
    """Whether there was nothing to freeze or thaw. Engines differ in the status they give it."""
    words = explanation(error).lower()
    return error.status_code == 409 or "not paused" in words or "not running" in words
