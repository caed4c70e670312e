"""A pytest plugin: PostgreSQL and Valkey for a test run, started before Django reads its settings.

One PostgreSQL serves the whole run; pytest-django gives each xdist worker its own database in it.
Each worker gets a Valkey of its own, because publish/subscribe ignores database numbers. Both live
in a temporary folder and end with the run, even when it is killed.
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from supervisor import embedded

# Without a worker's number: the whole run, xdist's controller included.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Start the servers and name them in the environment; pytest-django reads it next."""
    folder = Path(tempfile.mkdtemp(prefix="dormouse-test-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user
    given = dict(os.environ)
    if _WORKER:
        del given["REDIS_URL"]  # the controller's
    servers = embedded.start(folder, logs=folder / "log", given=given, durable=False)

    def end() -> None:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)

    early_config.add_cleanup(end)
    os.environ.update(servers.environment())
    os.environ["DORMOUSE_SECRETS_KEYS"] = "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtMDE="
    os.environ["DORMOUSE_STATE_DIR"] = str(folder / "state")
    (folder / "state" / "static").mkdir(parents=True)  # whitenoise warns when it is missing
    os.environ["DORMOUSE_INSTALLATION"] = f"test-{os.getpid()}"
    os.environ["DORMOUSE_REPLICA_NETWORK"] = f"dormouse-test-{os.getpid()}"
    return (yield)
