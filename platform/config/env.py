"""The environment, read once, typed: every wrong value is named at start, all at once."""

import base64
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[2]
# Below the state folder: the process id of the lifecycle worker, once it takes tasks.
LIFECYCLE_WORKER = Path("run", "lifecycle-worker")


class Environment(BaseSettings):
    """Each field is a variable of the same name with the prefix DORMOUSE_ (or the alias given).

    A secret can also come from a file in the folder DORMOUSE_SECRETS_DIR (/run/secrets in
    containers): the file `dormouse_secret_key` is read as DORMOUSE_SECRET_KEY.
    """

    model_config = SettingsConfigDict(env_prefix="DORMOUSE_", extra="ignore")

    database_url: str = Field("postgresql:///dormouse", validation_alias="DATABASE_URL")
    redis_url: str = Field("redis://127.0.0.1:6379/0", validation_alias="REDIS_URL")

    secret_key: str = Field(min_length=32, default="only-for-tests-and-tools-never-for-serving")
    # Seal what models are given as secrets. Several, by commas: the first seals, all of them open.
    secrets_keys: str = ""
    model_secrets_dir: Path | None = None  # in memory, for secrets as files; None: below /dev/shm
    model_secrets_volume: str = (
        ""  # the engine's volume that is mounted there, where we are a container
    )
    debug: bool = False
    port: int = Field(8000, ge=1, le=65535)  # where `make up` listens
    dashboard_port: int | None = Field(None, ge=1, le=65535)  # None: one above `port`, or any free
    base_domain: str = "localhost"
    dashboard_hosts: list[str] = ["*"]  # Host headers the dashboard answers to
    public_scheme: Literal["http", "https"] = "http"
    public_port: int | None = Field(8000, ge=1, le=65535)  # None: the scheme's own
    dashboard_url: str = ""  # the origin in mails and snippets; empty: made from the values above
    metrics: str = Field(
        "", pattern=r"^$|^\S+:\d+$"
    )  # host:port of the router's /metrics and /ready
    access_log: Path | None = None  # of the router: one JSON line per request
    registration_open: bool = True
    demo_email: str = ""  # shown on the sign-in page of a demo installation
    reserved_subdomains: list[str] = []  # beside the built-in ones

    runtime: Literal["auto", "docker", "swarm", "process"] = "auto"
    # The engine, or a manager of the swarm.
    engine: str = Field("unix:///var/run/docker.sock", validation_alias="DOCKER_HOST")
    installation: str = Field("dormouse", pattern=r"^[a-z][a-z0-9-]{0,30}$")
    state_dir: Path = ROOT / "var"
    replica_network: str = "dormouse-models"

    node_memory_mb: int | None = Field(None, ge=64)  # for models, per node; None: its share
    node_memory_share: float = Field(0.8, gt=0, le=1)
    # CPU time is shared out among those who compute: far more may be promised than there is.
    node_cpu_share: float = Field(16.0, gt=0)
    node_gpus: int | None = Field(None, ge=0)  # None: what the engine says, which may be none
    registries: list[str] = []  # hosts that images may come from; none given: any
    # On a swarm: where the catalogue's images go, for the nodes to pull; host[:port]/path.
    catalogue_registry: str = ""
    holders: int = Field(32, ge=0)  # sleeping models whose network is kept, 3 MB each; 0: none
    team_memory_mb: int | None = Field(None, ge=16)  # for each team; None: no limit
    team_cpus: float | None = Field(None, gt=0)
    team_gpus: int | None = Field(None, ge=0)
    log_kib_per_replica: int = Field(2048, ge=64)
    log_kib_per_model: int = Field(8192, ge=64)

    idle_timeout_seconds: int = Field(300, ge=1)
    request_timeout_seconds: int = Field(600, ge=1)
    startup_timeout_seconds: int = Field(300, ge=1, le=1800)
    drain_timeout_seconds: int = Field(600, ge=1)
    sweep_seconds: float = Field(2.0, gt=0)

    payments: Literal["manual", "stripe"] = "manual"  # how credits are paid for
    payment_instructions: str = ""  # manual: where to send the money, as buyers read it
    stripe_key: str = ""
    stripe_webhook_secret: str = ""
    stripe_api: str = ""  # empty: Stripe's own address

    email_url: str = ""  # smtp://user:password@host:port; empty: mails are written to the log
    email_from: str = "Dormouse <dormouse@localhost>"

    @field_validator("secrets_keys")
    @classmethod
    def _fernet_keys(cls, value: str) -> str:
        for key in filter(None, value.split(",")):
            try:
                whole = len(base64.urlsafe_b64decode(key)) == 32
            except ValueError:
                whole = False
            if not whole:
                raise ValueError("give keys as `dormouse secrets new-key` prints them")
        return value

    @field_validator("base_domain")
    @classmethod
    def _plain_domain(cls, value: str) -> str:
        value = value.strip(".").lower()
        if not value or "/" in value or ":" in value or " " in value:
            raise ValueError("give a plain domain such as models.example.org, without a port")
        return value


def read() -> Environment:
    """Read the environment; raises pydantic.ValidationError naming every wrong value."""
    secrets = Path("/run/secrets")
    folder = str(secrets) if secrets.is_dir() else None
    return Environment(_secrets_dir=folder)  # type: ignore[call-arg]  # pydantic-settings' own
