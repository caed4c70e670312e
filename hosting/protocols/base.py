"""What a container speaks: how to start it, how to tell it is ready, where its routes are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Readiness(StrEnum):
    """What one answer to the readiness probe says."""

    READY = "ready"
    WAITING = "waiting"  # something is there, and not ready yet
    CLOSED = "closed"  # nothing takes connections yet
    FAILED = "failed"  # it will never become ready: give up at once


@dataclass(frozen=True, slots=True)
class Settings:
    """What a revision chose, as far as its protocol is concerned. None: the protocol's default."""

    port: int | None = None
    health_path: str | None = None
    query_path: str | None = None
    info_path: str | None = None
    command: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


class ModelProtocol(Protocol):
    """One protocol. All methods are pure; they raise InvalidValue for settings that can't work."""

    name: str
    default_port: int
    default_concurrency: int  # 0: no limit
    port_variable: str  # the environment variable that carries the port
    # Where the image's manifest is: what makes it print that and end, or a label of the image.
    manifest_environment: Mapping[str, str]
    manifest_label: str

    def environment(self, settings: Settings) -> dict[str, str]:
        """The variables the platform sets in the container."""

    def health_path(self, settings: Settings) -> str | None:
        """The path to probe; None: an accepted TCP connection is enough."""

    def readiness(self, status: int, body: bytes) -> Readiness:
        """Judge one answer of the health path."""

    def query_path(self, settings: Settings) -> str:
        """Where POST /v1/query goes in the container."""

    def info_path(self, settings: Settings) -> str | None:
        """Where GET /v1/info goes in the container; None: `info` is the answer."""

    def info(self, settings: Settings) -> str | None:
        """The JSON text that answers /v1/info without the container, where there is one."""

    def info_in(self, manifest: str, settings: Settings) -> str:
        """What the manifest has for `info`, as the container would say it, if it does.

        Raises InvalidValue, saying what it has instead.
        """
