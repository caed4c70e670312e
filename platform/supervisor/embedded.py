"""The database and the broker for a machine that has neither."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from supervisor import postgres, valkey
from supervisor.children import Children


@dataclass(slots=True)
class Servers:
    """Where the two servers answer. A server given from outside is never stopped by us."""

    database_url: str
    redis_url: str
    started: list[postgres.Postgres | valkey.Valkey]

    def watched(self, *, logs: Path, say: Callable[[str], None]) -> Children:
        """Who starts each again that ends, on its data and at its address."""
        children = Children([], environment=os.environ, logs=logs, cwd=logs, say=say)
        for server in reversed(self.started):
            if server.process is not None:
                children.adopt(server.program, server.process)
        return children

    def folders(self) -> list[Path]:
        """Where they keep their data."""
        return [server.folder for server in self.started]

    def stop(self) -> None:
        """Stop what `start` started, the last first."""
        while self.started:
            self.started.pop().stop()

    def environment(self) -> dict[str, str]:
        """The variables every process of ours reads."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


def start(folder: Path, *, logs: Path, given: Mapping[str, str], durable: bool = True) -> Servers:
    """Start what `given` (the environment) doesn't name; safe when they run already."""
    folder.mkdir(parents=True, exist_ok=True)
    logs.mkdir(parents=True, exist_ok=True)
    servers = Servers(given.get("DATABASE_URL", ""), given.get("REDIS_URL", ""), [])
    try:
        if not servers.database_url:
            log = logs / "postgres.log"
            database = postgres.start(folder / "postgres", log=log, durable=durable)
            servers.started.append(database)
            servers.database_url = database.url
        if not servers.redis_url:
            log = logs / "valkey.log"
            broker = valkey.start(folder / "valkey", log=log, durable=durable)
            servers.started.append(broker)
            servers.redis_url = broker.url
    except BaseException:
        servers.stop()
        raise
    return servers


def erase(folder: Path) -> None:
    """Delete what both servers keep; they must not run."""
    postgres.erase(folder / "postgres")
    shutil.rmtree(folder / "valkey", ignore_errors=True)
