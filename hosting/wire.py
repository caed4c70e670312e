"""The frozen messages between the control plane and the data plane, and the keys they travel by.

Routes: the Redis hash `ROUTES_KEY` (subdomain to JSON) is the whole table, `ROUTES_CHANNEL`
carries every change as the same JSON. A route is newer when its `(model_id, generation)` is
greater; `removed` is a deletion on the channel (the hash simply loses the field). The string
`ROUTES_EPOCH_KEY` exists once the table has been written whole: a router that doesn't find it has
met an empty Redis, keeps what it knows and answers 503, not 404, for names it doesn't know.

Reports: each router writes `reports_key(router_id)`, a hash that expires after
`ROUTER_LEASE_SECONDS`, at least every second: field "at" (unix seconds), and a field per model id
it knows traffic of or was asked to release, with `Report` JSON. `ROUTERS_KEY` is a sorted set of
router ids by their last heartbeat (unix seconds).

Life: a worker that takes tasks and has its database sets `WORKER_KEY` every few seconds, for
`WORKER_SECONDS`: how long ago that was tells a router whether waiting for a wake can help.

A route leads to the model's current revision. Revisions in use beside it are its `beside`; each of
these has a route of its own (`Route.at`), by the same name with `--r<number>` added.

Spool: beside the lines, in its folder, a router process keeps a `SPOOL_MARK` at `mark_path` for as
long as it lives: how far answers are out. What it wrote after that may be counted and not received.

Leases: a router that needs units of a cap says so in a nudge (`LeaseStatement`); the control plane
appends its `LeaseAnswer`s, a JSON list, to the Redis list `leases_key(router_id)`.

Inquiries: a router that hears nothing of Redis sends the web process what it knows, JSON of model
id to generation, as POST to `INQUIRY_PATH` of `INQUIRY_HOST`, with `inquiry_proof` as bearer token.
The answer is JSON: "routes", those it lacks or has older ones of; "whole", false: there are more.
"""

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from struct import Struct
from typing import Any, Literal
from zlib import crc32

ROUTES_KEY = "dormouse:routes"
ROUTES_CHANNEL = "dormouse:routes:changed"
ROUTES_EPOCH_KEY = "dormouse:routes:epoch"
ROUTERS_KEY = "dormouse:routers"
LOGS_CHANNEL = "dormouse:logs"  # says of which model there are new log lines, for open pages
ROUTER_LEASE_SECONDS = 10
WORKER_KEY = "dormouse:worker"
WORKER_SECONDS = 60
# What a request can be, as usage events and the rules on waking name it.
ROUTES = ("status", "info", "query", "other")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


INQUIRY_PATH = "/internal/routes/"
INQUIRY_HOST = "routes.internal"


def inquiry_proof(secret_key: str) -> str:
    """By what the web process knows a router of its installation; does not give the key away."""
    return hmac.new(secret_key.encode(), b"dormouse route inquiry", "sha256").hexdigest()


def reports_key(router_id: str) -> str:
    """The hash in which one router reports."""
    return f"dormouse:router:{router_id}"


# Segment and offset up to which answers are out, the last segment, open connections.
SPOOL_MARK = Struct("<4Q")


def mark_path(folder: Path, boot: int) -> Path:
    """The mark of one process in a router's place."""
    return folder / f"boot-{boot}.mark"


def leases_key(router_id: str) -> str:
    """The list on which one router hears of its leases."""
    return f"dormouse:router:{router_id}:leases"


@dataclass(frozen=True, slots=True)
class ReplicaAddress:
    """Where one ready replica answers."""

    id: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """A revision in use beside the current one: its replicas, what they speak, its share."""

    revision_id: int
    revision: int  # its number
    share: int | None = None  # percent of the model's queries; None: only who asks for it gets it
    state: str = "asleep"
    replicas: tuple[ReplicaAddress, ...] = ()
    protocol: str = "runway"
    query_path: str = "/"
    info_path: str | None = None
    info: str | None = None
    concurrency: int = 1
    failure_reason: str | None = None
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many requests in so many seconds, all routers together."""

    requests: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Route:
    """Everything the router knows of one subdomain. Times are unix seconds."""

    model_id: int
    subdomain: str
    generation: int
    team_id: int = 0
    revision_id: int = 0
    active: bool = True
    public: bool = False
    state: str = "asleep"
    replicas: tuple[ReplicaAddress, ...] = ()
    token_digests: dict[str, int] = field(default_factory=dict)  # sha256 hex -> token id
    token_expiries: dict[str, float] = field(default_factory=dict)  # only those that expire
    protocol: str = "runway"
    query_path: str = "/"  # where POST /v1/query goes in the container
    info_path: str | None = None  # where GET /v1/info goes; None: `info` is the answer
    info: str | None = None  # JSON text, answered without the container
    concurrency: int = 1  # requests at once per replica; 0: no limit
    request_timeout_seconds: float = 600.0  # from arrival to the last byte, waiting included
    max_body_bytes: int = 32 * 1024 * 1024
    failure_reason: str | None = None  # state "failed": why
    retry_at: float | None = None  # state "failed": when the next wake may be tried
    wait_reason: str | None = None  # state "awakening": why there is no replica yet
    payment_required: bool = False  # queries are answered 402 until the team has paid
    unpaid_tokens: tuple[int, ...] = ()  # ids of tokens whose own budget is used up: 402
    since: float = 0.0  # when it came into this state
    wake_seconds: float | None = None  # what a wake of its revision usually takes; None: unknown
    # Who may not wake it: kinds of route, methods, token ids (0: callers without a token).
    no_wake_routes: tuple[str, ...] = ()
    no_wake_methods: tuple[str, ...] = ()
    no_wake_tokens: tuple[int, ...] = ()
    caps: tuple[str, ...] = ()  # what every request must be covered by, see `LeaseStatement`
    capped_tokens: tuple[int, ...] = ()  # ids of tokens with a cap of their own, `token:ID`
    query_reserve: int = 0  # what a query may cost at most, in millionths of the currency
    other_reserve: int = 0  # and a request to a route of the model's own
    rate: Rate | None = None  # of requests to the model, whoever asks
    token_rates: dict[str, Rate] = field(default_factory=dict)  # sha256 hex: only those limited
    removed: bool = False
    revision: int = 0  # number of the revision this leads to
    last_revision: int = 0  # the model has the revisions from 1 to this
    beside: tuple[Target, ...] = ()
    pinned: bool = False  # leads to this revision for good; made by `at`, never sent

    def at(self, number: int) -> "Route | None":
        """The route to one revision other than the current one; None when there is none."""
        if not 1 <= number <= self.last_revision:
            return None
        name = f"{self.subdomain}--r{number}"
        known = next((each for each in self.beside if each.revision == number), None)
        found = known or Target(
            revision_id=0,
            revision=number,
            protocol=self.protocol,
            info_path="/",  # not ours to answer: a replica is woken for it
            concurrency=self.concurrency,
        )
        said = {each: getattr(found, each) for each in Target.__slots__ if each != "share"}
        return replace(self, subdomain=name, beside=(), pinned=True, **said)

    @property
    def version(self) -> tuple[int, int]:
        """Greater is newer: a reused subdomain has a greater model id."""
        return (self.model_id, self.generation)

    def to_json(self) -> str:
        """The text that travels."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Route":
        """Read a route; unknown fields are ignored, so old and new planes can run side by side."""
        return cls.of(json.loads(text))

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Route":
        """The same, of JSON that is read already."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        known["replicas"] = _addresses(known.get("replicas", ()))
        known["beside"] = tuple(_target(each) for each in known.get("beside", ()))
        for name in _TUPLES:
            known[name] = tuple(known.get(name, ()))
        known["rate"] = Rate(**known["rate"]) if known.get("rate") else None
        known["token_rates"] = {
            digest: Rate(**each) for digest, each in known.get("token_rates", {}).items()
        }
        return cls(**known)

    def may_be_woken_by(self, asker: "Asker") -> bool:
        """Whether this request is one that may wake the model."""
        return (
            asker.route not in self.no_wake_routes
            and asker.method not in self.no_wake_methods
            and asker.token_id not in self.no_wake_tokens
        )


@dataclass(frozen=True, slots=True)
class Asker:
    """The request that asks for a wake: by whom, on which route, when (unix seconds)."""

    asked_at: float = 0.0
    token_id: int = 0  # 0: a caller without a token
    route: str = ""
    method: str = ""
    address: str = ""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Asker":
        """Read it from what a nudge carries; unknown fields are ignored."""
        return cls(**{name: said[name] for name in cls.__slots__ if name in said})


def _target(data: dict[str, Any]) -> Target:
    known = {name: data[name] for name in Target.__slots__ if name in data}
    return Target(**{**known, "replicas": _addresses(known.get("replicas", ()))})


def _addresses(data: Iterable[dict[str, Any]]) -> tuple[ReplicaAddress, ...]:
    return tuple(ReplicaAddress(**each) for each in data)


@dataclass(frozen=True, slots=True)
class Report:
    """What one router says about one model, all its revisions taken together."""

    generation: int  # the newest generation of the route this router has applied
    in_flight: int  # requests dispatched to a replica and not finished
    idle_seconds: float  # since the last dispatched request ended; 0 while any is in flight
    released: bool  # the route of `generation` has no replica and nothing is in flight
    queued: int = 0  # requests that wait for a slot
    replicas_in_use: tuple[int, ...] = ()  # those with requests in flight, withdrawn ones included
    # Revisions in use beside the current one, by number: seconds since the last request.
    beside: Mapping[int, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text that travels."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Report":
        """Read a report; what an older router doesn't say is as if nothing was."""
        data = json.loads(text)
        known = {name: data[name] for name in cls.__slots__ if name in data}
        known["replicas_in_use"] = tuple(known.get("replicas_in_use", ()))
        known["beside"] = {int(each): idle for each, idle in known.get("beside", {}).items()}
        return cls(**known)


@dataclass(frozen=True, slots=True)
class LeaseStatement:
    """What one router process says of its lease under one cap. Units: millionths of the currency.

    Numbers only grow, so a statement that is lost, late or told twice does no harm.
    """

    cap: str  # "team:7", "credits:7", "model:12" or "token:33"
    number: int  # of the lease, within the process
    sequence: int  # of the statement, within the lease
    spent: int  # by requests that are in the spool
    returned: int  # will not be spent
    wanted: int  # more is needed, at least so much; 0: nothing
    closing: bool = False  # the last statement


@dataclass(frozen=True, slots=True)
class LeaseAnswer:
    """What the control plane says to one statement."""

    cap: str
    number: int
    sequence: int
    granted: int  # in all, ever
    short: Literal["", "used_up", "elsewhere"] = ""  # why there was no more: others may return some
    ended: bool = False  # nothing may be spent from this lease any more


class Outcome:
    """How a request ended, as the usage event says it."""

    OK = "ok"  # the model answered, whatever its status below 500
    MODEL_ERROR = "model_error"  # the model answered 5xx, or died while answering
    CLIENT_ABORT = "client_abort"  # the caller hung up before the model answered
    TIMEOUT = "timeout"  # the deadline ran out
    WAKE_FAILED = "wake_failed"  # it never became awake
    REFUSED = "refused"  # ours: 401, 404, 405, 413, 503 ...


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One request that was admitted (right token, known model), as the spool carries it.

    A request counts once, as one unit, when `counted`: a POST to /v1/query that reached a model.
    """

    id: str  # UUIDv7, minted by the router
    model_id: int
    team_id: int
    revision_id: int
    token_id: int  # 0: public
    route: str  # "query", "info", "status", "other"
    method: str
    status: int
    outcome: str
    counted: bool
    cold: bool  # it waited for a wake
    arrived_at: float  # unix seconds
    held_ms: int  # waiting for a wake or for a free slot
    model_ms: int  # from dispatch to the model's last byte
    bytes_in: int
    bytes_out: int

    def to_line(self) -> bytes:
        """One line of the spool: version, the fields in order, CRC-32 of all before it; by tabs.

        Written on the router's hot path: formatted by hand, several times faster than JSON.
        """
        text = (
            f"1\t{self.id}\t{self.model_id}\t{self.team_id}\t{self.revision_id}\t{self.token_id}"
            f"\t{self.route}\t{self.method}\t{self.status}\t{self.outcome}\t{self.counted:d}"
            f"\t{self.cold:d}\t{self.arrived_at:.6f}\t{self.held_ms}\t{self.model_ms}"
            f"\t{self.bytes_in}\t{self.bytes_out}\t"
        ).encode()
        return b"%b%08x\n" % (text, crc32(text))

    @classmethod
    def from_line(cls, line: bytes) -> "UsageEvent":
        """Read one spool line, with or without its newline; ValueError when it is damaged."""
        body, tab, checksum = line.rstrip(b"\n").rpartition(b"\t")
        if not tab or checksum != b"%08x" % crc32(body + tab):
            raise ValueError("the checksum does not fit")
        version, *values = body.decode().split("\t")
        if version != "1" or len(values) != len(cls.__slots__):
            raise ValueError(f"not a version 1 line: {version!r} with {len(values)} fields")
        text = dict(zip(cls.__slots__, values, strict=True))
        return cls(
            id=text["id"],
            route=text["route"],
            method=text["method"],
            outcome=text["outcome"],
            counted=text["counted"] == "1",
            cold=text["cold"] == "1",
            arrived_at=float(text["arrived_at"]),
            **{name: int(text[name]) for name in _WHOLE_NUMBERS},
        )


_TUPLES = (
    "unpaid_tokens",
    "caps",
    "capped_tokens",
    "no_wake_routes",
    "no_wake_methods",
    "no_wake_tokens",
)
_WHOLE_NUMBERS = (
    "model_id",
    "team_id",
    "revision_id",
    "token_id",
    "status",
    "held_ms",
    "model_ms",
    "bytes_in",
    "bytes_out",
)
