"""What the router is told at start. Nothing here changes while it runs."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds; beyond each there is an answer with a named error (`answers.py`)."""

    head_seconds: float = 15.0
    idle_seconds: float = 75.0
    linger_seconds: float = 5.0
    linger_bytes: int = 64 << 20
    slow_body_after_seconds: float = 10.0
    slow_body_bytes_per_second: int = 1024
    head_bytes: int = 32 * 1024
    head_fields: int = 100
    target_bytes: int = 16 * 1024
    model_head_bytes: int = 64 * 1024
    buffered_body_bytes: int = 1 << 20  # a body up to this size is read before a slot is taken
    pipelined_bytes: int = 64 * 1024
    held_per_model: int = 100
    held_per_process: int = 1000
    held_bytes: int = 256 << 20
    pace_seconds: float = 1.0  # how long a request beyond a rate limit may wait for its turn
    connections: int = 20_000
    rewritten_answer_bytes: int = 64 * 1024
    websocket_idle_seconds: float = 600.0
    dial_seconds: float = 5.0
    dashboard_head_seconds: float = 120.0
    pool_idle_seconds: float = 1.5  # shorter than any server's own keep-alive
    pool_size: int = 128
    refused_seconds: float = 1.0  # how long a refused connection is tried again before a new wake
    renudge_seconds: float = 3.0
    control_plane_seconds: float = 10.0
    spool_segment_bytes: int = 8 << 20
    budget_seconds: float = 5.0  # how long a request waits for units of a cap
    stale_seconds: float = 60.0  # private models are not served on older news than this
    drain_seconds: float = 620.0
    drain_idle_seconds: float = 5.0  # idle connections may bring one more request

    def changed(self, settings: Iterable[str]) -> "Limits":
        """These limits with some set anew, each as NAME=VALUE; ValueError says what is wrong."""
        known = {each.name: type(getattr(self, each.name)) for each in fields(self)}
        values: dict[str, Any] = {}
        for setting in settings:
            name, _, value = setting.partition("=")
            if name not in known:
                raise ValueError(f"there is no limit {name!r}; there are {', '.join(known)}")
            values[name] = known[name](value)
        return replace(self, **values)


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address as the command line writes it: `host:port` or `[host]:port`."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `127.0.0.1:8000` or `[::1]:8000`; ValueError says what is wrong."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdigit() or not host:
            raise ValueError(f"{text!r} is not HOST:PORT")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Config:
    """One router, as its command line describes it."""

    base_domain: str
    listen: tuple[Address, ...]
    spool: Path
    redis_url: str | None = None
    routes_file: Path | None = None
    dashboard: Address | None = None  # the web process
    metrics: Address | None = None
    access_log: Path | None = None
    router_id: str = "router"
    inquiry_proof: str | None = None  # shown to the web process when asking it for routes
    workers: int = 1
    scheme: str = "http"  # what callers see: "https" behind something that ends TLS
    limits: Limits = field(default_factory=Limits)
