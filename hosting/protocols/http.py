"""Any HTTP server: its owner says where the health and query routes are."""

import json
from collections.abc import Mapping

from hosting.errors import InvalidValue
from hosting.protocols.base import Readiness, Settings
from hosting.protocols.paths import checked_path, checked_port

_ANYTHING = {"name": "body", "type": "any", "description": None}


class PlainHttp:
    """POST /v1/query goes to one declared path; nothing is known of what the body means."""

    name = "http"
    default_port = 8080
    default_concurrency = 0
    port_variable = "PORT"
    manifest_environment: Mapping[str, str] = {}
    manifest_label = ""

    def environment(self, settings: Settings) -> dict[str, str]:
        """PORT is what most servers read."""
        return {"PORT": str(checked_port(settings.port, default=self.default_port))}

    def health_path(self, settings: Settings) -> str | None:
        """None unless declared: then an accepted connection is all there is to go by."""
        path = settings.health_path
        return checked_path(path, field="health_path") if path else None

    def readiness(self, status: int, body: bytes) -> Readiness:
        """Any 2xx is ready."""
        return Readiness.READY if 200 <= status < 300 else Readiness.WAITING

    def query_path(self, settings: Settings) -> str:
        """The declared path, or the root."""
        return checked_path(settings.query_path or "/", field="query_path")

    def info_path(self, settings: Settings) -> str | None:
        """The declared path, if any."""
        path = settings.info_path
        return checked_path(path, field="info_path") if path else None

    def info(self, settings: Settings) -> str | None:
        """Without a declared path: one input and one output of any shape."""
        if settings.info_path:
            return None
        spec = {
            "name": settings.command or "query",
            "description": None,
            "inputs": [_ANYTHING],
            "outputs": [_ANYTHING],
        }
        return json.dumps(spec, sort_keys=True)

    def info_in(self, manifest: str, settings: Settings) -> str:
        """There is none."""
        raise InvalidValue("A plain HTTP server describes nothing before it runs.")
