"""What a killed supervisor left running is ended, and nothing else is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor import orphans

STUBBORN = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
)


def left_behind(state: Path, *, own_session: bool = True) -> subprocess.Popen[str]:
    """A process that doesn't stop when it is asked to."""
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN],
        env={**os.environ, "DORMOUSE_STATE_DIR": str(state)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=own_session,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_what_does_not_stop_is_killed_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "GRACE_SECONDS", 0.3)
    ours = left_behind(tmp_path / "ours")
    others = [
        left_behind(tmp_path / "another"),
        left_behind(tmp_path / "ours", own_session=False),  # somebody's own command on this folder
    ]

    try:
        orphans.end(tmp_path / "ours")

        assert ours.wait(5) == -9
        assert [each.poll() for each in others] == [None, None]
    finally:
        for each in (ours, *others):
            each.kill()
            each.communicate()
