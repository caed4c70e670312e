"""`manage.py stop_replicas`: end every replica of this installation. Needs no database."""

from concurrent.futures import ThreadPoolExecutor

from django.core.management.base import BaseCommand, CommandError

from hosting.errors import RuntimeUnavailable
from hosting.lifecycle import engine

_AT_ONCE = 8
_GRACE_SECONDS = 5.0


class Command(BaseCommand):
    """Run it when no worker runs: a worker would start again what somebody asks for."""

    help = "Stop every replica of this installation; the models sleep until the next request."
    requires_system_checks = ()

    def handle(self, **_: object) -> None:
        """Stop them side by side: each may take its grace."""
        runtime = engine.runtime()
        try:
            names = [replica.name for replica in runtime.replicas()]
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                stopping = [
                    pool.submit(runtime.stop, name, grace_seconds=_GRACE_SECONDS) for name in names
                ]
            for each in stopping:
                each.result()
        except RuntimeUnavailable as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{len(names)} stopped.")
