"""What a scale-to-zero loop does that polls: the same container, asked every N seconds."""

import time

from django.conf import settings

from benchmarks.wake import subject
from hosting.lifecycle.readiness import probe
from hosting.protocols import get
from hosting.protocols.base import Readiness, Settings
from hosting.runtimes import registry
from hosting.runtimes.base import ReplicaSpec, Resources
from hosting.runtimes.docker_images import BASE_IMAGE


def wake(number: int, *, every_seconds: float) -> float:
    """Start at once, look every N seconds, let the request in when ready; milliseconds."""
    # An installation of its own: the sweep stops what it finds without a row.
    runtime = registry.runtime(
        settings.RUNTIME,
        installation=f"{settings.INSTALLATION}-polled",
        state_dir=settings.STATE_DIR,
        network=settings.REPLICA_NETWORK,
    )
    name = f"polled-{number}"
    began = time.monotonic()
    observed = runtime.start(
        ReplicaSpec(
            name=name,
            image=BASE_IMAGE,
            port=8080,
            environment={"PORT": "8080"},
            resources=Resources(memory_mb=64),
            arguments=["python3", "-c", subject.SERVER],
        )
    )
    try:
        protocol, chosen = get("http"), Settings(port=8080, health_path="/")
        verdict = Readiness.WAITING
        while verdict != Readiness.READY:
            time.sleep(every_seconds - (time.monotonic() - began) % every_seconds)
            verdict = probe(
                observed.host or "", observed.port or 0, protocol=protocol, settings=chosen
            )
        return (time.monotonic() - began) * 1000
    finally:
        runtime.stop(name, grace_seconds=1)
