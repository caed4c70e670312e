"""Follows what every replica writes, and has it kept a few times a second.

Of any number of workers one collects: it holds a lock in the database for as long as it lives. A
thread per replica reads from the engine; this one alone writes, so replicas that write a lot cost
one connection and no lock of each other.
"""

import logging
import threading
import time
from dataclasses import dataclass, field

from django.db import DatabaseError, OperationalError, connection

from hosting.errors import HostingError
from hosting.logs.buffer import Buffer, Taken
from hosting.logs.keeping import keep, read_from
from hosting.models import Replica
from hosting.runtimes.base import Runtime

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.25
LOOK_SECONDS = 1.0
REST_SECONDS = 4.0  # until lines are kept again of a replica that wrote more than fitted
_LOCK = 0x4C4F4753
_THERE = "SELECT id FROM hosting_replica WHERE status <> 'gone' AND started_at IS NOT NULL"


@dataclass
class Following:
    """One replica being read."""

    replica: Replica
    buffer: Buffer = field(default_factory=Buffer)
    over: bool = True  # nobody reads: it is new, it ended, or the engine went away
    rests_until: float = 0.0


def collect_all(runtime: Runtime, *, stop: threading.Event) -> None:
    """Collect until told to stop, whenever no other worker does."""
    while not stop.wait(LOOK_SECONDS):
        try:
            if _elected():
                Collector(runtime).run(stop)
        except DatabaseError as error:
            logger.warning("logs can't be kept, trying again: %s", error)
        except Exception:  # nobody starts this thread again
            logger.exception("collecting logs broke off; beginning anew")
        finally:
            connection.close()  # and with it the lock


class Collector:
    """The one that collects."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._following: dict[int, Following] = {}

    def run(self, stop: threading.Event) -> None:
        """Look and keep until told to stop. Raises DatabaseError."""
        next_look = 0.0
        try:
            while not stop.wait(FLUSH_SECONDS):
                now = time.monotonic()
                if now >= next_look:
                    next_look = now + LOOK_SECONDS
                    self.look()
                self.keep(now=now)
        finally:
            for each in self._following.values():
                each.buffer.close()

    def look(self) -> None:
        """Follow each replica that is new, and again each that broke off while it is there."""
        there = _there()
        for gone in self._following.keys() - there:
            self._following.pop(gone).buffer.close()
        broken_off = {pk for pk, each in self._following.items() if each.over}
        lacking = (there - self._following.keys()) | broken_off
        if lacking:
            for replica in Replica.objects.filter(pk__in=lacking).select_related("model"):
                self._follow(self._following.setdefault(replica.pk, Following(replica)))

    def keep(self, *, now: float) -> None:
        """Write what came since the last time."""
        for each in self._following.values():
            if now < each.rests_until:
                continue
            taken = each.buffer.take()
            if taken.dropped:
                each.rests_until = now + REST_SECONDS
            if taken.outputs:
                self._keep(each, taken)

    def _keep(self, following: Following, taken: Taken) -> None:
        """What can't be kept of one replica must not cost the others theirs."""
        try:
            keep(following.replica, taken)
        except OperationalError:
            raise  # the database is away: for all of them
        except Exception:
            logger.exception("lines of %s could not be kept", following.replica)

    def _follow(self, following: Following) -> None:
        following.over = False
        after = read_from(following.replica)
        # A daemon: it waits for the engine's next word, and nobody waits for it.
        threading.Thread(target=self._read, args=(following, after), daemon=True).start()

    def _read(self, following: Following, after: int) -> None:
        try:
            for output in self._runtime.log(following.replica.name, after=after, follow=True):
                if not following.buffer.add(output):
                    return
        except HostingError as error:
            logger.info("the log of %s broke off: %s", following.replica, error)
        finally:
            following.over = True


def _there() -> set[int]:
    """The replicas that may write. Asked every second, so no query is composed for it."""
    with connection.cursor() as cursor:
        cursor.execute(_THERE)
        return {replica_id for (replica_id,) in cursor.fetchall()}


def _elected() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        (locked,) = cursor.fetchone() or (False,)
    return bool(locked)
