"""A route table from a file, for benchmarks and tests: nothing wakes, nothing changes."""

import json
from pathlib import Path

from hosting.wire import ReplicaAddress, Route


def read(path: Path) -> dict[str, Route]:
    """`{subdomain: {"id", "host", "port", "limit", "sha256"|null}}`, every path passed through."""
    routes = {}
    for subdomain, said in json.loads(path.read_text()).items():
        digest = said.get("sha256")
        routes[subdomain] = Route(
            model_id=said["id"],
            subdomain=subdomain,
            generation=1,
            public=digest is None,
            state="awake",
            replicas=(ReplicaAddress(said["id"], said["host"], said["port"]),),
            token_digests={digest: said["id"]} if digest else {},
            protocol="openai",
            query_path="/v1/query",
            info_path="/v1/info",
            concurrency=said.get("limit", 0),
        )
    return routes
