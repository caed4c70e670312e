"""The processes of an installation, in the order they are stopped."""

import sys
from collections.abc import Sequence
from pathlib import Path

from supervisor.children import Program
from supervisor.installation import Installation

LIFECYCLE_WORKER = "worker-lifecycle"
_LIFECYCLE_THREADS = 16


def programs(
    installation: Installation, *, listen: Sequence[str], dashboard_port: int
) -> list[Program]:
    """The callers' side goes first, the shipper last: it carries what the router counted."""
    dashboard = f"127.0.0.1:{dashboard_port}"
    python = sys.executable
    router = [python, "-m", "hosting.router", "--base-domain", installation.base_domain]
    for address in listen:
        router += ["--listen", address]
    router += ["--dashboard", dashboard, "--spool", str(installation.spool)]
    web = [python, "-m", "uvicorn", "config.asgi:application", "--host", "127.0.0.1"]
    web += ["--port", str(dashboard_port), "--no-access-log", "--lifespan", "off"]
    web += ["--proxy-headers", "--timeout-graceful-shutdown", "5"]
    ship = [python, "manage.py", "ship_usage", "--spool", str(installation.spool)]
    return [
        Program("router", router, grace_seconds=30),
        Program("beat", _celery("beat", "--schedule", str(installation.run / "beat"))),
        Program(LIFECYCLE_WORKER, worker("lifecycle", threads=_LIFECYCLE_THREADS)),
        Program("worker-default", worker("default", threads=2)),
        Program("web", web),
        Program("shipper", ship),
    ]


def worker(queue: str, *, threads: int) -> list[str]:
    """The command of a worker that takes tasks from one queue."""
    # Threads: the work is waiting for engines and databases, and one process starts faster.
    options = ["--queues", queue, "--pool", "threads", "--concurrency", str(threads)]
    options += ["--hostname", f"{queue}@%h", "--without-gossip", "--without-mingle"]
    return _celery("worker", *options)


def _celery(command: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "config.celery", command, *options, "-l", "INFO"]


def root() -> Path:
    """Where `manage.py` is: the working directory of every process."""
    return Path(__file__).resolve().parents[2]
