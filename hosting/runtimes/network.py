"""The network model containers share, and the walls around it.

The bridge is internal (no way out) and without traffic between containers; wall.py keeps the host's
own services from them. Models whose owner lets them reach the internet are on a second bridge,
which leads there and nowhere else. The router talks to each container's address from the host.
"""

import threading
import time
import zlib
from contextlib import suppress

import structlog
from docker.errors import APIError, NotFound

from hosting.runtimes.engine import Engine
from hosting.runtimes.wall import Wall

_CHECKED_FOR_SECONDS = 60.0

log = structlog.get_logger(__name__)


class ModelNetwork:
    """Makes the network when it is missing. Any number of workers may do so at once."""

    def __init__(self, name: str, engine: Engine, *, internet: bool = False) -> None:
        self.name = name
        self._internet = internet
        # The kernel allows 15 characters, and the firewall rule needs a name we choose.
        self.bridge = f"dm-{zlib.crc32(name.encode()):08x}"
        self.warning: str | None = None  # what a person should know, if a wall is missing
        self._engine = engine
        self._wall = Wall(self.bridge, engine, internet=internet)
        self._checked_at: float | None = None
        self._checking = threading.Lock()

    def ensure(self, *, again: bool = False) -> None:
        """Look at most once a minute, so a wake doesn't pay for it; `again` looks now."""
        with self._checking:
            checked = self._checked_at
            now = time.monotonic()
            if checked is not None and not again and now - checked < _CHECKED_FOR_SECONDS:
                return
            made = self._ensure_bridge()
            warning = self._wall.ensure(again=again or made)
            if warning and warning != self.warning:
                log.warning("host_reachable_by_models", message=warning)
            self.warning = warning
            self._checked_at = now

    def remove(self) -> None:
        """Take network and rule away; refused by the engine while a container is on it."""
        with suppress(NotFound):
            self._engine.client.remove_network(self.name)
        self._wall.remove()
        self._checked_at = None

    def _ensure_bridge(self) -> bool:
        """Whether it had to be made."""
        client = self._engine.client
        try:
            client.inspect_network(self.name)
        except NotFound:
            try:
                client.create_network(
                    self.name,
                    driver="bridge",
                    internal=not self._internet,
                    check_duplicate=True,
                    labels={"dormouse.network": self.name},
                    options={
                        "com.docker.network.bridge.name": self.bridge,
                        "com.docker.network.bridge.enable_icc": "false",
                    },
                )
            except APIError as error:
                if error.status_code != 409:  # another worker was first
                    raise
            return True
        return False
