"""The connection to the Docker engine, and what its errors mean to us."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote

import docker
import requests
from docker.auth import AuthConfig
from docker.errors import APIError, DockerException, NotFound

from hosting.errors import ReplicaFailed, RuntimeUnavailable
from hosting.runtimes.base import Login

# The states of a container whose processes are there.
RUNNING = ("running", "paused", "restarting")

_FRACTION = re.compile(r"\.\d+")
_ANSWER_WITHIN_SECONDS = 30
_DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_NOT_THERE = "The container engine doesn't answer. Start Docker, then try again."
_NOT_ALLOWED = (
    "The container engine is there, but this user may not use it. "
    "Add the user to the group “docker” and sign in again."
)


class Engine:
    """One client, made at first use: the engine may come up after us."""

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self._client: docker.APIClient | None = None
        self._making = threading.Lock()

    @property
    def client(self) -> docker.APIClient:
        """The client; use it inside `answering`."""
        with self._making:
            if self._client is None:
                self.knock()
                self._client = docker.APIClient(
                    base_url=self._address, version="auto", timeout=_ANSWER_WITHIN_SECONDS
                )
            return self._client

    def client_with(self, login: Login | None, *, registry: str | None) -> docker.APIClient:
        """A client of its own that knows this login; without one, the usual client."""
        if login is None or registry is None:
            return self.client
        client = docker.APIClient(
            base_url=self._address, version=self.client.api_version, timeout=_ANSWER_WITHIN_SECONDS
        )
        known = {registry: {"username": login.username, "password": login.password}}
        client._auth_configs = AuthConfig({"auths": known})  # type: ignore[attr-defined]
        return client

    def is_there(self) -> bool:
        """Whether an engine answers right now."""
        try:
            return bool(self.client.ping())
        except (DockerException, requests.RequestException):
            return False

    def began(self) -> datetime | None:
        """When the engine was started, to the second; None where it doesn't show.

        It makes its own bridge anew then, and tells its age nowhere else.
        """
        try:
            return moment(self.client.inspect_network("bridge").get("Created"))
        except NotFound:  # it was told to do without
            return None

    def log(self, writer: str, after: int, follow: bool) -> Iterator[bytes]:
        """The multiplexed log as it comes, from the second of `after` on; nothing when gone.

        The writer is `containers/<name>` or `services/<id>`.

        The SDK's own method drops the streams' names, and loses nanoseconds to a float.
        """
        client = self.client
        answer = client.get(
            f"{client.base_url}/v{client.api_version}/{quote(writer)}/logs",
            params={
                "stdout": 1,
                "stderr": 1,
                "timestamps": 1,
                "follow": int(follow),
                "since": after // 1_000_000_000,
            },
            stream=True,
            timeout=(_ANSWER_WITHIN_SECONDS, None if follow else _ANSWER_WITHIN_SECONDS),
        )
        with answer:
            if answer.status_code == HTTPStatus.NOT_FOUND:
                return
            answer.raise_for_status()
            yield from answer.iter_content(65_536)

    def knock(self) -> None:
        """Try the socket first: the SDK leaves one open for each attempt that fails.

        Use it inside `answering`.
        """
        address = self._address or _DEFAULT_ADDRESS
        if address.startswith("unix://"):
            with socket.socket(socket.AF_UNIX) as knocking:
                knocking.settimeout(_ANSWER_WITHIN_SECONDS)
                try:
                    knocking.connect(address.removeprefix("unix://"))
                except OSError as error:
                    raise DockerException(str(error)) from error


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Translate the engine's errors where they enter. `what` is what we were about to do."""
    try:
        yield
    except APIError as error:
        raise ReplicaFailed(f"{what}: {explanation(error)}") from error
    except (requests.RequestException, DockerException) as error:
        # The SDK's own errors that aren't answers: no socket, no permission, a cut connection.
        raise unavailable(error) from error


def moment(text: str | None) -> datetime | None:
    """A time as the engine writes it, to the second; None for one that never came."""
    # It has nanoseconds, which Python does not read: 2026-01-02T03:04:05.123456789+01:00
    found = datetime.fromisoformat(_FRACTION.sub("", text)) if text else None
    return found if found and found.year > 1 else None


def unavailable(error: Exception) -> RuntimeUnavailable:
    """No answer, with the reason where it is one a person can remove."""
    if "Permission denied" in str(error):
        return RuntimeUnavailable(_NOT_ALLOWED)
    return RuntimeUnavailable(_NOT_THERE)


def explanation(error: APIError) -> str:
    """The engine's own sentence, without the SDK's wrapping."""
    return str(error.explanation or error).strip().rstrip(".") + "."
