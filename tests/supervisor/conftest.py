"""Folders of the supervisor's tests."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder another user may pass through: PostgreSQL never runs as root."""
    folder = Path(tempfile.mkdtemp(prefix="dormouse-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def until(reached: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait for something that happens by itself."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)
