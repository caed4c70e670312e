"""Whatever dies, fills up or lies: what callers saw answered is in the ledger, each request once.

Real routers, callers who write down the id of every answer, and a fault under load. A router that
is killed may have written a request down whose answer no longer got out: never more than it had in
flight, and each of them is named as unconfirmed.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import Team
from hosting import nudges
from hosting.billing.models import Invoice
from hosting.metering import ledger, partitions, rollups, shipper, verify
from hosting.models import RouterKill, UnconfirmedRequest, UsageHour, UsageRecord
from hosting.wire import SPOOL_MARK
from supervisor import postgres, programs
from tests.database.conftest import make_event
from tests.database.test_metering_faults import start, start_shipper
from tests.factories import make_member, make_model
from tests.router.conftest import OwnRedis
from tests.router.harness import ControlPlane, Router, head, running_router, wait_until
from tests.router.model import Model
from tests.router.test_restart import workers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
CALLERS = 6


class Callers:
    """People who ask all the time, and know what they were answered."""

    def __init__(self, router: Router) -> None:
        self.answered: set[str] = set()  # request ids of the model's answers, read to the end
        self.statuses: Counter[int] = Counter()
        self.codes: Counter[str] = Counter()
        self.cut = 0
        self._router = router
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CALLERS)]

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def go_on(self, number: int = 100) -> None:
        """Wait until so many more were answered."""
        goal = len(self.answered) + number
        wait_until(lambda: len(self.answered) >= goal, seconds=60)

    def _ask(self) -> None:
        wire = None
        while not self._stop.is_set():
            try:
                wire = wire or self._router.wire()
                answer = wire.send(head("POST", "/v1/query", body=b"{}")).read()
            except OSError:
                self.cut += wire is not None
                wire = None
                time.sleep(0.02)
                continue
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self.answered.add(answer.headers["x-request-id"])
            else:
                self.codes[answer.code] += 1
            if answer.headers.get("connection") == "close":
                wire = None
            time.sleep(0.002)


class OwnDatabase:
    """A PostgreSQL that a test may kill; its files are on a disk, and synced."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="dormouse-own-"))
        self._folder.chmod(0o711)  # PostgreSQL may run as another user
        self.start()
        with self.manage("migrate", "-v0") as migrating:
            assert migrating.wait(120) == 0

    def start(self) -> None:
        folder, log = self._folder / "postgres", self._folder / "log"
        self._server = postgres.start(folder, log=log, durable=True)

    def kill(self) -> None:
        os.kill(self._server.pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{self._server.pid}/fd").exists() or self._is_dead())

    def _is_dead(self) -> bool:
        return self._server.process is not None and self._server.process.poll() is not None

    @contextmanager
    def manage(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run `manage.py` on this database, as long as the block lasts."""
        process = subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=settings.ROOT,
            env={**os.environ, "DATABASE_URL": self._server.url},
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def billed(self) -> set[str]:
        with psycopg.connect(self._server.url) as opened:
            rows = opened.execute("SELECT id::text FROM hosting_usagerecord WHERE counted")
            return {row[0] for row in rows.fetchall()}

    def close(self) -> None:
        self._server.stop()
        postgres.erase(self._folder / "postgres")
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def control(own_redis) -> Iterator[ControlPlane]:
    plane = ControlPlane(own_redis.url)
    plane.redis.flushall()
    yield plane
    plane.close()


@pytest.fixture
def server() -> Iterator[Model]:
    model = Model()
    yield model
    model.close()


@contextmanager
def serving(folder: Path, control: ControlPlane, server: Model, *options: str) -> Iterator[Router]:
    """A router that serves one awake model."""
    with running_router(folder, "--redis", control.url, *options) as router:
        control.redis.set("dormouse:routes:epoch", "1")
        control.known_to_router(control.awake("echo", server.port, concurrency=0))
        yield router


def billed() -> set[str]:
    return {str(pk) for pk in UsageRecord.objects.filter(counted=True).values_list("pk", flat=True)}


def marked(router: Router) -> int:
    """How many connections the router's present process would be known to have had, if killed."""
    marks = router.spool.glob("*/boot-*.mark")
    said = max(marks, key=lambda each: int(each.stem.removeprefix("boot-"))).read_bytes()
    return SPOOL_MARK.unpack(said)[3] if said else 0


def assert_exact(callers: Callers, router: Router, *, unseen: int = 0) -> None:
    """Every answer is billed, and what is billed beyond that was in flight when a router died."""
    shipper.ship_once(router.spool)
    rows = billed()
    assert callers.answered - rows == set()
    assert len(rows - callers.answered) <= unseen
    unconfirmed = UnconfirmedRequest.objects.values_list("request_id", flat=True)
    assert rows - callers.answered <= set(map(str, unconfirmed))
    rollups.refresh()
    assert sum(UsageHour.objects.values_list("counted", flat=True)) == len(rows)
    now = timezone.now().date()
    window = {"since": now - timedelta(days=3), "until": now + timedelta(days=3)}
    assert list(verify.ledger(**window, tally=verify.Tally())) == []


def test_a_router_killed_again_and_again(tmp_path, control, server):
    with serving(tmp_path, control, server) as router, Callers(router) as callers:
        for _ in range(4):
            callers.go_on()
            wait_until(lambda: marked(router) == CALLERS)
            for pid in workers(router):
                os.kill(pid, signal.SIGKILL)
        callers.go_on()

    assert callers.cut
    assert set(callers.statuses) == {200}
    assert_exact(callers, router, unseen=4 * CALLERS)
    kills = RouterKill.objects.order_by("boot")[:4]
    assert [each.connections for each in kills] == [CALLERS] * 4


def test_a_shipper_killed_under_load(tmp_path, control, server):
    with serving(tmp_path, control, server) as router, Callers(router) as callers:
        for _ in range(4):
            process = start_shipper(router.spool)
            before = UsageRecord.objects.count()
            callers.go_on()
            wait_until(lambda: UsageRecord.objects.count() > before, seconds=30)  # noqa: B023
            process.kill()
            process.wait()

    assert_exact(callers, router)


def test_a_redis_that_is_stopped_emptied_and_started_again(tmp_path, control, server, own_redis):
    with serving(tmp_path, control, server) as router, Callers(router) as callers:
        for _ in range(2):
            callers.go_on()
            own_redis.stop()
            callers.go_on()
            own_redis.start()
            control.redis.flushall()
            callers.go_on()

    assert set(callers.statuses) == {200}
    assert_exact(callers, router)


def test_books_killed_while_they_are_kept(tmp_path, control, server):
    code = "from hosting.billing import books; from django.utils import timezone as t\n"
    code += "while True: books.keep(now=t.now())"
    with serving(tmp_path, control, server) as router, Callers(router) as callers:
        for number in range(3):
            process = start("shell", "-v0", "-c", code)
            before = rolled_up(router)
            wait_until(lambda: rolled_up(router) > before, seconds=60)  # noqa: B023
            time.sleep(0.13 * number)
            process.kill()
            process.wait()

    assert_exact(callers, router)


def rolled_up(router: Router) -> int:
    """Ship some more; how many requests the rollups have, whoever makes them."""
    shipper.ship_once(router.spool)
    time.sleep(0.1)
    return sum(UsageHour.objects.values_list("counted", flat=True))


@pytest.fixture
def invoiced(db: None) -> list[Team]:
    """Forty teams with a month that is due: the last one is closed some minutes after its end."""
    last_month = timezone.now().replace(day=1, hour=12) - timedelta(days=1)
    due = last_month.replace(day=1) - timedelta(days=1)
    partitions.ensure(now=due)
    teams = []
    for _ in range(40):
        team = make_member().team
        model = make_model(team).model
        ledger.record([make_event(model, at=due) for _ in range(7)])
        teams.append(team)
    return teams


@contextmanager
def worker(redis_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The worker that keeps the books, as the supervisor starts it."""
    name = connection.settings_dict["NAME"]
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    paths = f"{settings.ROOT}:{settings.ROOT / 'platform'}"
    process = subprocess.Popen(
        programs.worker("default", threads=2),
        cwd=settings.ROOT,
        env={**os.environ, "DATABASE_URL": url, "REDIS_URL": redis_url, "PYTHONPATH": paths},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def asked_to_keep_books(redis_url: str) -> Iterator[None]:
    """Meanwhile the books are asked for all the time, through the broker."""
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.05):
            nudges.send(redis_url, nudges.BOOKS)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        stop.set()
        asking.join()


def test_a_worker_killed_while_it_rates_and_invoices(
    tmp_path, control, server, own_redis, invoiced
):
    """The real command, the real broker: killed amid roll-ups, and amid the issuing of invoices."""
    earlier, amid = billed(), False
    with (
        serving(tmp_path, control, server) as router,
        Callers(router) as callers,
        asked_to_keep_books(own_redis.url),
    ):
        for issued in (1, 4, 9):
            with worker(own_redis.url) as process:
                before = rolled_up(router)
                wait_until(lambda: Invoice.objects.count() >= issued, seconds=60)  # noqa: B023
                process.kill()
            amid = amid or Invoice.objects.count() < len(invoiced)
        with worker(own_redis.url):
            wait_until(lambda: Invoice.objects.count() == len(invoiced), seconds=60)
            wait_until(lambda: rolled_up(router) > before, seconds=60)

    assert amid
    callers.answered |= earlier
    assert_exact(callers, router)
    year = timezone.now().year
    numbers = set(Invoice.objects.values_list("number", flat=True))
    assert numbers == {f"DM-{year}-{number:04d}" for number in range(1, len(invoiced) + 1)}
    assert {each.total for each in Invoice.objects.all()} == {Decimal("0.07")}
    assert set(Invoice.objects.values_list("team_id", flat=True)) == {each.pk for each in invoiced}


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here: run as root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_is_full_for_a_while(small_disk, control, server):
    limit = ("--limit", f"spool_segment_bytes={64 << 10}")
    with serving(small_disk, control, server, *limit) as router, Callers(router) as callers:
        callers.go_on()
        full = small_disk / "something else"
        fill(full)
        wait_until(lambda: callers.codes["spool_unavailable"] > 20, seconds=60)
        refused = router.query()
        assert (refused.status, refused.code) == (503, "spool_unavailable")
        assert "No space left" in refused.json["error"]["message"]
        full.unlink()
        callers.go_on(1_000)

    assert set(callers.statuses) == {200, 503}
    assert_exact(callers, router)


def fill(path: Path) -> None:
    """Take all the room there is."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


_STEPPED = """
import os, time
_real = time.time
def _now():
    try:
        return _real() + float(open(os.environ["CLOCK"]).read() or 0)
    except (OSError, ValueError):
        return _real()
time.time = _now
"""


def test_a_clock_that_is_set_forth_and_back(tmp_path, control, server, monkeypatch):
    clock = tmp_path / "clock"
    (tmp_path / "sitecustomize.py").write_text(_STEPPED)
    monkeypatch.setenv("CLOCK", str(clock))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    limit = ("--limit", f"spool_segment_bytes={64 << 10}")
    with serving(tmp_path, control, server, *limit) as router, Callers(router) as callers:
        for step in (0, 7200, -7200, 86400, -86400, 0):
            clock.write_text(str(step))
            callers.go_on(400)
            shipper.ship_once(router.spool)
            if step < 0:  # a new process, whose clock is behind what the one before it wrote
                for pid in workers(router):
                    os.kill(pid, signal.SIGKILL)

    assert_exact(callers, router, unseen=2 * CALLERS)
    assert UsageRecord.objects.filter(arrived_at__gt=timezone.now() + timedelta(hours=1)).exists()


@pytest.fixture
def own_database() -> Iterator[OwnDatabase]:
    database = OwnDatabase()
    yield database
    database.close()


def test_a_postgresql_killed_under_load(own_database, tmp_path, control, server):
    with serving(tmp_path, control, server) as router, Callers(router) as callers:
        with own_database.manage("ship_usage", "--spool", router.spool, "--interval", "0.05"):
            for _ in range(3):
                callers.go_on()
                before = own_database.billed()
                wait_until(lambda: own_database.billed() > before, seconds=30)  # noqa: B023
                own_database.kill()
                callers.go_on()
                own_database.start()
            callers.go_on()
        assert set(callers.statuses) == {200}
    with own_database.manage("ship_usage", "--spool", router.spool, "--once") as shipping:
        assert shipping.wait(60) == 0

    assert own_database.billed() == callers.answered
