"""Kills and cuts: what the routers wrote is in the ledger exactly once, whatever dies meanwhile."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection, connections

from hosting.metering import shipper, spool_check, verify
from hosting.models import UsageMinute, UsageRecord
from hosting.router.spool import Spool
from hosting.router.usage import RequestIds, begin_line, spool_line

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]
NUMBER = 12_000
ARRIVED = 1_780_315_200.0  # noon of 1 June 2026


@pytest.fixture
def spool(tmp_path):
    """A spool as a router leaves it, in segments of 256 KiB."""
    ids = RequestIds()
    router = Spool(tmp_path / "spool", "router", segment_bytes=256 * 1024)
    for number in range(NUMBER):
        at = ARRIVED + number / 100
        begun = begin_line(
            request_id=ids.mint(now=at),
            owners=b"3\t1\t9",
            token_id=0,
            route=b"query",
            method=b"POST",
            counts=True,
            cold=False,
            arrived_at=at,
            held_ms=0,
        )
        router.append(
            spool_line(
                begun,
                status=200,
                outcome="ok",
                counted=True,
                model_ms=12,
                bytes_in=20,
                bytes_out=40,
            )
        )
    router.flush()  # and not closed: the router was killed
    return tmp_path / "spool"


def start_shipper(spool) -> subprocess.Popen[bytes]:
    """`manage.py ship_usage` on this test's database, as the supervisor starts it."""
    return start("ship_usage", "--spool", spool, "--interval", "0.05")


def start(*command: str) -> subprocess.Popen[bytes]:
    """Run `manage.py` on this test's database."""
    name = connection.settings_dict["NAME"]
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    return subprocess.Popen(
        [sys.executable, "manage.py", *command],
        cwd=settings.ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stderr=subprocess.DEVNULL,
    )


def stored() -> int:
    return UsageRecord.objects.count()


def wait_until_stored(number: int, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while stored() < number and time.monotonic() < deadline:
        time.sleep(0.02)
    assert stored() >= number


def assert_exact(spool) -> None:
    """Every line once, in whole chains, and the minutes say the same."""
    shipper.ship_once(spool)
    lines, differences = spool_check.compare(spool)
    window = {"since": date(2026, 6, 1), "until": date(2026, 6, 2)}
    assert (lines, stored()) == (NUMBER, NUMBER)
    assert differences == []
    assert list(verify.ledger(**window, tally=verify.Tally())) == []
    assert sum(UsageMinute.objects.values_list("requests", flat=True)) == NUMBER


def test_a_shipper_killed_again_and_again_loses_and_doubles_nothing(spool):
    chance = random.Random(7)
    for _ in range(4):
        process = start_shipper(spool)
        before = stored()
        deadline = time.monotonic() + 10
        while stored() == before and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert_exact(spool)


def test_a_database_that_cuts_every_connection_costs_nothing_but_time(spool):
    process = start_shipper(spool)
    try:
        for _ in range(5):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            time.sleep(0.2)
        wait_until_stored(NUMBER)
    finally:
        process.terminate()
        process.wait()

    assert_exact(spool)


def test_two_shippers_by_mistake_double_nothing(spool):
    """The lock keeps them apart on one host; without it the offset does."""

    def ship() -> None:
        try:
            shipper.ship_once(spool)
        except RuntimeError:
            pass  # “Somebody else ships”: this one stops
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ship) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert_exact(spool)


def test_a_spool_that_was_copied_to_another_host_doubles_nothing(spool):
    shipper.ship_once(spool)
    (spool / "spool-id").unlink()

    assert shipper.ship_once(spool) == 0
    assert stored() == NUMBER
