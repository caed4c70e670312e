"""What one `make up` runs: its folders, ports and the environment its processes share."""

import hashlib
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from config import env
from hosting.sealing import new_key
from supervisor.errors import SetupFailed

DEMO_EMAIL = "demo@dormouse.localhost"
_OTHERS_NAMES = ("DATABASE_URL", "REDIS_URL", "DOCKER_HOST")  # settings that go by a common name


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation on this machine. Everything it writes is under `state`."""

    state: Path
    port: int
    dashboard_port: int
    base_domain: str
    runtime: str  # auto, docker, swarm or process

    @classmethod
    def read(cls) -> "Installation":
        """Take it from the environment; every wrong value is named at once."""
        try:
            given = env.read()
        except ValidationError as error:
            lines = [f"{_variable(each['loc'])}: {each['msg']}" for each in error.errors()]
            raise SetupFailed("Wrong settings. " + "; ".join(lines)) from error
        return cls(
            state=given.state_dir.absolute(),
            port=given.port,
            dashboard_port=given.dashboard_port or given.port + 1,
            base_domain=given.base_domain,
            runtime=given.runtime,
        )

    @property
    def run(self) -> Path:
        """Pid, lock and environment of what runs now."""
        return self.state / "run"

    @property
    def lifecycle_worker(self) -> Path:
        """Who takes tasks, written by the worker itself."""
        return self.state / env.LIFECYCLE_WORKER

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.state / "log"

    @property
    def spool(self) -> Path:
        """Where the router leaves usage events for the shipper."""
        return self.state / "spool"

    @property
    def demo_file(self) -> Path:
        """The demo's addresses and secrets."""
        return self.state / "demo.json"

    def prepare(self) -> None:
        """Make the folders. `state` stays passable: PostgreSQL may run as another user."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o711)
        for folder in (self.run, self.logs, self.spool, self.state / "static"):
            folder.mkdir(mode=0o700, exist_ok=True)

    def environment(self, given: Mapping[str, str], *, runtime: str) -> dict[str, str]:
        """What every process of this installation finds in its environment."""
        # Two checkouts on one engine must not take each other's containers for orphans.
        key = hashlib.sha256(str(self.state).encode()).hexdigest()[:8]
        defaults = {
            "DORMOUSE_INSTALLATION": f"dormouse-{key}",
            "DORMOUSE_PUBLIC_PORT": str(self.port),
            "DORMOUSE_DEMO_EMAIL": DEMO_EMAIL,
        }
        fixed = {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DORMOUSE_RUNTIME": runtime,
            "DORMOUSE_SECRET_KEY": given.get("DORMOUSE_SECRET_KEY") or self._secret_key(),
            "DORMOUSE_SECRETS_KEYS": given.get("DORMOUSE_SECRETS_KEYS") or self._secrets_key(),
            "DORMOUSE_STATE_DIR": str(self.state),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', os.defpath)}",
            "PYTHONPATH": f"{env.ROOT}{os.pathsep}{env.ROOT / 'platform'}",
            "PYTHONUNBUFFERED": "1",
        }
        return defaults | dict(given) | fixed

    def remember(self, environment: Mapping[str, str]) -> None:
        """Keep what `make manage` and `make down` need to reach the same servers."""
        ours = {
            name: value
            for name, value in environment.items()
            if name.startswith("DORMOUSE_") or name in _OTHERS_NAMES
        }
        write_private(self.run / "environment.json", json.dumps(ours))

    def remembered(self) -> dict[str, str] | None:
        """What the last `remember` kept."""
        file = self.run / "environment.json"
        if not file.exists():
            return None
        values: dict[str, str] = json.loads(file.read_text())
        return values

    def forget(self) -> None:
        """Nothing runs and nothing is left behind."""
        (self.run / "environment.json").unlink(missing_ok=True)

    def _secret_key(self) -> str:
        return self._made_once("secret_key", lambda: secrets.token_urlsafe(48))

    def _secrets_key(self) -> str:
        """Sealed secrets of models can't be opened without it: it belongs into the backup."""
        return self._made_once("secrets_key", new_key)

    def _made_once(self, name: str, make: Callable[[], str]) -> str:
        file = self.state / name
        if not file.exists():
            write_private(file, make())
        return file.read_text()


def write_private(file: Path, text: str) -> None:
    """Write a file only its owner may read; a reader never sees half of it."""
    partial = file.with_name(file.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.write(text)
    partial.rename(file)


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0]).upper()
    return name if name in _OTHERS_NAMES else f"DORMOUSE_{name}"
