"""Folders of the supervisor's tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder another user may pass through: PostgreSQL never runs as root."""
    folder = Path(tempfile.mkdtemp(prefix="dormouse-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
