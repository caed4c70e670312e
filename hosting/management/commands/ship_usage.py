"""`manage.py ship_usage --spool DIR`: the shipper of this host, until it is stopped."""

import logging
import signal
import threading
from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.utils import timezone

from hosting.metering import partitions, shipper

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Ships about every second; waits, and loses nothing, while PostgreSQL is away."""

    _months_made = False

    help = "Carry usage events from the routers' spools on this host into the ledger."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where the spools are, and how often to look."""
        parser.add_argument("--spool", type=Path, default=settings.STATE_DIR / "spool")
        parser.add_argument("--interval", type=float, default=1.0, help="seconds")
        parser.add_argument("--once", action="store_true", help="ship what is there, then end")

    def handle(self, *, spool: Path, interval: float, once: bool, **_: object) -> None:
        """Ship until SIGTERM or SIGINT; the last round follows the signal."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        with shipper.only_one(spool) as alone:
            if not alone:
                self.stderr.write(f"Another shipper is at work on {spool}. Nothing to do.")
                return
            while True:
                last_round = once or stop.is_set()
                self._ship(spool)
                if last_round:
                    return
                stop.wait(interval)

    def _ship(self, spool: Path) -> None:
        try:
            if not self._months_made:  # before the first record of a new installation
                partitions.ensure(now=timezone.now())
                self._months_made = True
            shipper.ship_once(spool)
        except DatabaseError as error:
            logger.warning("usage waits in the spool, PostgreSQL is away: %s", error)
            connection.close()
