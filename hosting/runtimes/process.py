"""Replicas as plain processes: for a machine without a container engine. It does not isolate.

A replica can read the host's files and reach its network; only catalogue models run here. All
state is in `<state_dir>/replicas/<name>/`, so several workers can share it and a restarted one
finds what runs.
"""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hosting.errors import ReplicaFailed
from hosting.runtimes import building, launcher, locks, process_log
from hosting.runtimes.base import (
    LOCAL,
    SECRETS_VARIABLE,
    Node,
    Observed,
    Output,
    Progress,
    Recipe,
    ReplicaSpec,
    Status,
)
from hosting.runtimes.images import catalogue_slug
from hosting.runtimes.secret_files import SecretFiles

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
# Below the range the kernel takes outgoing connections from, so none can sit on our port.
_PORTS = range(20000, 30000)
_LOG_BYTES = 1024 * 1024
_OPEN_FILES = 4096
_MOST_OUTPUT = 256 * 1024


class ProcessRuntime:
    """Starts catalogue models as processes on loopback."""

    name = "process"
    isolates = False
    warning = (
        "Models run as plain processes here: they can read this machine's files and reach its "
        "network. Install Docker to keep them apart."
    )
    watches = False
    pauses = True

    def __init__(
        self, *, installation: str, state_dir: Path, secrets_dir: Path | None = None
    ) -> None:
        self.installation = installation
        self._secrets = SecretFiles(secrets_dir, installation=installation)
        self._replicas = state_dir.absolute() / "replicas"
        self._builds = building.Builds(state_dir.absolute())

    def nodes(self) -> list[Node]:
        """This machine."""
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return [Node(LOCAL, memory_mb=memory // (1024 * 1024), cpus=os.cpu_count() or 1)]

    def hold(self, keys: Sequence[str]) -> None:
        """There is nothing to keep."""

    def start(self, spec: ReplicaSpec) -> Observed:
        """Start the replica, or find it under its name, running or exited."""
        folder = self._folder(spec.name)
        with locks.held(self._lock(spec.name)) as lock:
            found = self.find(spec.name)
            if found is not None:
                return found
            shutil.rmtree(folder, ignore_errors=True)  # left by a worker that died half-way
            build = self._build_of(spec)
            (folder / "tmp").mkdir(parents=True)
            with locks.held(self._replicas / ".ports"):
                port = self._free_port(spec.name)
                launcher.write_json(folder / launcher.LAUNCH, _launch(spec, build, port))
            environment = _environment(spec, build, folder, port)
            if spec.files:
                secrets = self._secrets.write(spec.name, spec.files, uid=os.geteuid())
                environment[SECRETS_VARIABLE] = str(secrets)
            self._launch(folder, lock, environment)
        observed = self.find(spec.name)
        if observed is None:  # stopped by somebody else in the meantime
            raise ReplicaFailed(f"{spec.name} was stopped while it started.")
        return observed

    def find(self, name: str) -> Observed | None:
        """The replica of this name as its files and /proc tell."""
        folder = self._folder(name)
        launch = _read(folder / launcher.LAUNCH)
        replica = _read(folder / launcher.REPLICA)
        if launch is None or replica is None:
            return None
        # Liveness before the exit file: the launcher writes that file, then ends.
        alive = launcher.is_alive(replica)
        ended = _read(folder / launcher.EXIT)
        if alive and ended is None:
            return Observed(
                name=name,
                status=Status.RUNNING,
                host="127.0.0.1",
                port=launch["port"],
                paused=launcher.is_stopped(replica),
                labels=launch["labels"],
            )
        code = ended["exit_code"] if ended else None
        return Observed(name=name, status=Status.EXITED, exit_code=code, labels=launch["labels"])

    def replicas(self) -> list[Observed]:
        """Every replica with a folder here."""
        if not self._replicas.is_dir():
            return []
        names = sorted(each.name for each in self._replicas.iterdir() if _NAME.fullmatch(each.name))
        return [found for found in map(self.find, names) if found is not None]

    def end(self, name: str, *, grace_seconds: float = 10.0) -> None:
        """SIGTERM, grace, SIGKILL for the whole session; its folder stays."""
        with locks.held(self._lock(name)):
            self._end(name, grace_seconds=grace_seconds)

    def stop(self, name: str, *, grace_seconds: float = 10.0) -> None:
        """End it, then forget."""
        folder = self._folder(name)
        if not folder.exists():
            return
        with locks.held(self._lock(name)):
            self._end(name, grace_seconds=grace_seconds)
            self._secrets.remove(name)
            shutil.rmtree(folder, ignore_errors=True)

    def _end(self, name: str, *, grace_seconds: float) -> None:
        replica = _read(self._folder(name) / launcher.REPLICA)
        if replica is not None:
            _end(replica, grace_seconds=grace_seconds)

    def pause(self, name: str) -> None:
        """SIGSTOP for the server and what it forked; its launcher stays awake to watch it."""
        self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> bool:
        """SIGCONT; whether there was anybody to hear it."""
        return self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: signal.Signals) -> bool:
        """Signal the server's process group; False when it has ended."""
        with locks.held(self._lock(name)):
            replica = _read(self._folder(name) / launcher.REPLICA)
            server = None if replica is None else launcher.server_of(replica)
            if server is None:
                return False
            try:
                os.killpg(server, number)
            except ProcessLookupError:
                return False
            return True

    def deaths(self) -> Iterator[str]:
        """Nobody tells."""
        return iter(())

    def log(self, name: str, *, after: int = 0, follow: bool = False) -> Iterator[Output]:
        """Both halves of the log, by their time."""
        folder = self._folder(name)

        def more() -> bool:
            found = self.find(name) if follow else None
            return found is not None and found.status == Status.RUNNING

        return process_log.lines(folder, after=after, more=more)

    def output_of(self, spec: ReplicaSpec, *, seconds: float) -> str:
        """With the files of its build, in a session of its own that ends with it."""
        build = self._build_of(spec)
        with tempfile.TemporaryDirectory() as folder:
            launch = _launch(spec, build, port=0)
            with subprocess.Popen(
                launch["arguments"],
                cwd=launch["directory"],
                env=_environment(spec, build, Path(folder), 0),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
                start_new_session=True,
            ) as server:
                try:
                    output, _ = server.communicate(timeout=seconds)
                except subprocess.TimeoutExpired:
                    raise ReplicaFailed(f"It did not end within {seconds:g} s.") from None
                finally:
                    with suppress(ProcessLookupError):
                        os.killpg(server.pid, signal.SIGKILL)
        if server.returncode:
            raise ReplicaFailed(f"It ended with code {server.returncode}.")
        return output[:_MOST_OUTPUT]

    def label_of(self, spec: ReplicaSpec, label: str) -> str:
        """There are no images, and so no labels."""
        return ""

    def is_built(self, recipe: Recipe) -> bool:
        """Whether the build of exactly this fingerprint is there and is the one that starts."""
        return self._builds.is_current(recipe)

    def build(self, recipe: Recipe, *, progress: Progress) -> None:
        """Assemble the build folder and make it the one that starts from now on."""
        self._builds.assemble(recipe, progress=progress)

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ReplicaFailed(f"“{name}” can't be the name of a replica.")
        return self._replicas / name

    def _lock(self, name: str) -> Path:
        return self._replicas / ".locks" / name

    def _build_of(self, spec: ReplicaSpec) -> building.Build:
        slug = catalogue_slug(spec.image)
        if slug is None:
            raise ReplicaFailed(
                f"“{spec.image}” needs a container engine, and this installation runs without one. "
                "Choose a model from the catalogue, or install Docker."
            )
        build = self._builds.current(slug)
        if build is None:
            raise ReplicaFailed(f"The catalogue model “{slug}” isn't built yet. Build it first.")
        return build

    def _free_port(self, name: str) -> int:
        """A port nobody listens on and no replica was promised; needs the lock of all ports."""
        records = (_read(each) for each in self._replicas.glob(f"*/{launcher.LAUNCH}"))
        promised = {record["port"] for record in records if record}
        start = zlib.crc32(name.encode())  # spread, so that a port isn't reused at once
        for offset in range(len(_PORTS)):
            port = _PORTS[(start + offset) % len(_PORTS)]
            if port not in promised and _is_free(port):
                return port
        raise ReplicaFailed("No free port is left for another replica. Put some models to sleep.")

    def _launch(self, folder: Path, lock: int, environment: dict[str, str]) -> None:
        # The interpreter below the virtual environment, and no site: as fast as Python starts.
        ended = subprocess.run(
            [_python(), "-I", "-S", launcher.__file__, str(folder), str(lock)],
            pass_fds=(lock,),
            input=json.dumps(environment),  # it may hold secrets: never in a file
            capture_output=True,
            text=True,
            start_new_session=True,  # a Ctrl-C for the worker is not one for the replica
            check=False,
        )
        if ended.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            self._secrets.remove(folder.name)
            raise ReplicaFailed(f"The server could not be started: {ended.stderr.strip()}")


def _launch(spec: ReplicaSpec, build: building.Build, port: int) -> dict[str, Any]:
    arguments = list(spec.arguments or build.arguments)
    if arguments[0] in ("python", "python3"):
        arguments[0] = _python()
    return {
        "name": spec.name,
        "port": port,
        "labels": dict(spec.labels),
        "arguments": arguments,
        "directory": str(build.folder),
        "limits": {
            # A backstop, not the container's limit: it counts promised memory, stacks included.
            "RLIMIT_DATA": spec.resources.memory_mb * 2 * 1024 * 1024,
            "RLIMIT_NOFILE": _OPEN_FILES,
            "RLIMIT_CORE": 0,
        },
        "log_bytes": _LOG_BYTES,
    }


def _environment(
    spec: ReplicaSpec, build: building.Build, folder: Path, port: int
) -> dict[str, str]:
    """Nothing of the worker's own environment: it holds secrets."""
    # 0.0.0.0 is right inside a container; here it would open the model to the whole network.
    asked = {
        name: "127.0.0.1" if value in ("0.0.0.0", "::") else value  # noqa: S104
        for name, value in spec.environment.items()
    }
    asked |= {each: str(port) for each in ("PORT", "RW_PORT") if each in asked}
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder / "tmp"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONPATH": str(build.folder / "lib"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        **asked,
        spec.port_variable: str(port),
    }


def _end(replica: dict[str, Any], *, grace_seconds: float) -> None:
    """Ask, wait, then kill what is left of the session."""
    try:
        # A descriptor of the process, checked after opening: from here the pid can't be reused.
        process = os.pidfd_open(replica["pid"])
    except ProcessLookupError:
        process = None
    if process is not None:
        try:
            if launcher.is_alive(replica):
                server = launcher.server_of(replica)
                if server is not None:  # a stopped process doesn't hear SIGTERM
                    os.killpg(server, signal.SIGCONT)
                signal.pidfd_send_signal(process, signal.SIGTERM)
                select.select([process], [], [], grace_seconds)
        except ProcessLookupError:
            pass
        finally:
            os.close(process)
    _kill_session(replica)


def _kill_session(replica: dict[str, Any]) -> None:
    """A pid isn't given out again while a session has it as its id, so the id is enough.

    Unless the session is empty: then the pid may be somebody else's, with a start time of its own.
    """
    if replica["boot"] != launcher.boot_id():
        return
    try:
        if launcher.identity(replica["pid"]) != replica:
            return
    except (FileNotFoundError, ProcessLookupError):
        pass  # the launcher is gone; its session may not be
    members = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    for pid in members:
        if launcher.session_of(pid) == replica["pid"]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _python() -> str:
    """The interpreter under the virtual environment: a model sees its own libraries, not ours."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return value
