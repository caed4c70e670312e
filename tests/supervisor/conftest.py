"""Folders and fakes of the supervisor's tests."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder another user may pass through: PostgreSQL never runs as root."""
    folder = tmp_path_factory.mktemp("state")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o711)
    return folder
