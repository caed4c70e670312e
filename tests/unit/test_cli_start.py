"""The command line of an installation that does not run."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_without_postgresql_a_command_says_in_one_breath_what_to_do(tmp_path):
    nowhere = {"DATABASE_URL": f"postgresql:///none?host={tmp_path}"}

    ended = subprocess.run(
        [ROOT / "dormouse", "usage", "spools"],
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("dormouse: PostgreSQL doesn't answer. Start it with: make up")
