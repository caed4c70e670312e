"""The HTTP contract of Cog's server: one prediction at a time, on port 5000."""

import json
from collections.abc import Mapping

from hosting.errors import InvalidValue
from hosting.protocols.base import Readiness, Settings
from hosting.protocols.cog_schema import info_of
from hosting.protocols.paths import checked_port

_READY = ("READY", "BUSY")  # busy: its one slot is taken, and it answers
_GAVE_UP = ("SETUP_FAILED", "DEFUNCT")


class Cog:
    """`/v1/query` is POST /predictions, the body unchanged: {"input": {…}}.

    Its other routes stay inside; one of them stops the server.
    """

    name = "cog"
    default_port = 5000
    default_concurrency = 1  # more than its slots are answered 409
    port_variable = "PORT"
    manifest_environment: Mapping[str, str] = {}
    manifest_label = "run.cog.openapi_schema"  # written by `cog build`

    def environment(self, settings: Settings) -> dict[str, str]:
        """The port is all it is told."""
        return {"PORT": str(checked_port(settings.port, default=self.default_port))}

    def health_path(self, settings: Settings) -> str | None:
        """Answers from the first moment, always with 200: what counts is the word in it."""
        return "/health-check"

    def readiness(self, status: int, body: bytes) -> Readiness:
        """A set-up that failed is final, though the process goes on."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            return Readiness.WAITING
        said = answer.get("status") if isinstance(answer, dict) and status == 200 else None
        if said in _GAVE_UP:
            return Readiness.FAILED
        return Readiness.READY if said in _READY else Readiness.WAITING

    def query_path(self, settings: Settings) -> str:
        """The one route that predicts."""
        return "/predictions"

    def info_path(self, settings: Settings) -> str | None:
        """Its own description is an OpenAPI document; ours is made of the image's label."""
        return None

    def info(self, settings: Settings) -> str | None:
        """Only the image knows."""
        return None

    def info_in(self, manifest: str, settings: Settings) -> str:
        """The fields of `Input` and `Output` in the OpenAPI document. Raises InvalidValue."""
        if not manifest:
            raise InvalidValue(f"The image has no label {self.manifest_label}.")
        return info_of(manifest)
