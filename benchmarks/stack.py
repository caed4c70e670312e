"""The whole system in a folder of its own, with this process looking into its database."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 240.0


@contextlib.contextmanager
def running(*, runtime: str) -> Iterator[int]:
    """Start everything as `make up` does; yields the port callers use. Django is set up."""
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL may run as another user
        port = free_port()
        environment = _environment(folder / "state", port=port, runtime=runtime)
        with (folder / "out").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "supervisor", "up"],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                _wait(process, folder)
                _set_up_django(folder / "state")
                yield port
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(120)


def _environment(state: Path, *, port: int, runtime: str) -> dict[str, str]:
    given = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DORMOUSE_", "DATABASE_URL", "REDIS_URL"))
    }
    return given | {
        "DORMOUSE_STATE_DIR": str(state),
        "DORMOUSE_PORT": str(port),
        "DORMOUSE_RUNTIME": runtime,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
    }


def _wait(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (folder / "state" / "run" / "ready").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit((folder / "out").read_text())
        time.sleep(0.1)


def _set_up_django(state: Path) -> None:
    os.environ.update(json.loads((state / "run" / "environment.json").read_text()))
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()


def free_port() -> int:
    """A port nobody listens on, a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
