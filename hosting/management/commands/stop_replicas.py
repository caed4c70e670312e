"""`manage.py stop_replicas`: stop every replica of this installation, before it is shut down."""

from django.core.management.base import BaseCommand
from django.utils import timezone

from hosting.lifecycle import engine
from hosting.lifecycle.clock import SystemClock
from hosting.lifecycle.readiness import probe
from hosting.lifecycle.shutdown import stop_all
from hosting.lifecycle.tools import Tools


class Command(BaseCommand):
    """No worker and no router may run any more: nobody would be asked to let go."""

    help = "Put every model of this installation to sleep at once."

    def handle(self, **_: object) -> None:
        """Stop and say how many."""
        tools = Tools(runtime=engine.runtime(), probe=probe, clock=SystemClock())
        stopped = stop_all(tools=tools, now=timezone.now())
        self.stdout.write(f"Stopped {stopped} replicas.")
