"""The servers of the distribution, older than those that come with us, serve as well."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from hosting.wire import Outcome, UsageEvent
from supervisor import embedded, postgres, valkey

SYSTEM = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
EVENT = UsageEvent(
    id="019a0000-0000-7000-8000-000000000001",
    model_id=1,
    team_id=1,
    revision_id=1,
    token_id=0,
    route="query",
    method="POST",
    status=200,
    outcome=Outcome.OK,
    counted=True,
    cold=False,
    arrived_at=time.time(),
    held_ms=0,
    model_ms=5,
    bytes_in=2,
    bytes_out=2,
)


@pytest.mark.skipif(not SYSTEM, reason="no PostgreSQL of the system; apt-get install postgresql")
@pytest.mark.skipif(not shutil.which("redis-server"), reason="no redis-server on this machine")
def test_every_table_and_the_ledger_work_on_the_servers_of_the_distribution(folder, monkeypatch):
    monkeypatch.setattr(postgres, "_installations", lambda: iter([SYSTEM[0].parent]))
    monkeypatch.setattr(valkey, "binary", lambda: shutil.which("redis-server"))
    servers = embedded.start(folder, logs=folder / "log", given={})
    environment = {**os.environ, **servers.environment(), "DORMOUSE_STATE_DIR": str(folder)}
    segment = folder / "spool" / "router-1" / f"{1:020}.log"
    segment.parent.mkdir(parents=True)
    segment.write_bytes(EVENT.to_line())

    try:
        for command in (["migrate", "-v0"], ["seed_demo"], ["ship_usage", "--once"]):
            subprocess.run(
                [sys.executable, "manage.py", *command],
                env=environment,
                check=True,
                capture_output=True,
                timeout=120,
            )
        with psycopg.connect(servers.database_url) as connection:
            found = connection.execute("SELECT count(*) FROM hosting_usagerecord").fetchone()
    finally:
        servers.stop()

    assert found == (1,)
