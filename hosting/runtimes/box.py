"""What the drivers that run containers share: how one is labelled, and the size of its box."""

from collections.abc import Mapping
from typing import Any

from hosting.runtimes.base import SECRETS_VARIABLE, ReplicaSpec

INSTALLATION = "dormouse.installation"
REPLICA = "dormouse.replica"
PORT = "dormouse.port"
_LABELS = "dormouse.labels"  # which labels are the caller's: an image brings some of its own

UID = 10001
USER = f"{UID}:{UID}"
SECRETS = "/run/secrets"  # where a container finds its own
TMP_MB = 64
OPEN_FILES = 20_000
# The engine's resolver would carry questions to the outside from its own namespace. One that is not
# there, and is not waited for: a model that asks hears no soon.
RESOLVER: dict[str, Any] = {"dns": ["127.0.0.1"], "dns_opt": ["timeout:1", "attempts:1"]}
LOG_OPTIONS = {"max-size": "1m", "max-file": "2"}


def labels(spec: ReplicaSpec, *, installation: str) -> dict[str, str]:
    """The caller's labels and ours, by which a replica is found again."""
    return {
        **spec.labels,
        _LABELS: ",".join(spec.labels),
        INSTALLATION: installation,
        REPLICA: spec.name,
        PORT: str(spec.port),
    }


def given_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The caller's labels out of a container's."""
    return {key: labels[key] for key in labels.get(_LABELS, "").split(",") if key in labels}


def environment(spec: ReplicaSpec) -> dict[str, str]:
    """The model's variables; the only place it can write to is its home."""
    where = {SECRETS_VARIABLE: SECRETS} if spec.files else {}
    return {"HOME": "/tmp", **spec.environment, **where}  # noqa: S108


def container_name(name: str, *, installation: str) -> str:
    """The name in the engine. Installations may share one; their row ids then meet."""
    prefix = f"{installation}-"
    return name if name.startswith(prefix) else prefix + name


def address(inspected: Mapping[str, Any]) -> str | None:
    """Where the host reaches an inspected container."""
    networks = inspected["NetworkSettings"]["Networks"].values()
    return next((each["IPAddress"] for each in networks if each["IPAddress"]), None)
