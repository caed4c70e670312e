"""What a process replica lives under: a small init of its own, run as a script.

It starts the server in its own process group, forwards SIGTERM and SIGINT, keeps the log within
bounds and writes down how the server ended. It outlives the worker that started it: everything it
knows is in files, so any later worker can adopt it. Standard library only, started with -I -S,
because it is on the path of every wake.
"""

import fcntl
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

LAUNCH = "launch.json"  # written by the runtime: what to run
REPLICA = "replica.json"  # written here: who runs it
EXIT = "exit.json"  # written here: how it ended
LOG = "log"
OLD_LOG = "log.1"
LONGEST_LINE = 16 * 1024


def main(folder: Path, lock: int) -> int:
    """Fork away from the worker, then report to it whether the server could be started."""
    launch = json.loads((folder / LAUNCH).read_text())
    environment = json.load(sys.stdin)  # may hold secrets, so it is in no file
    told, tell = os.pipe()
    if os.fork():
        os.close(tell)
        with os.fdopen(told) as pipe:
            verdict = pipe.read()
        if verdict == "started":
            return 0
        sys.stderr.write(verdict or "the launcher died")
        return 1
    os.close(told)
    os.setsid()
    write_json(folder / REPLICA, identity(os.getpid()))
    # The lock is inherited: were the worker killed before this line, nobody could start the
    # replica a second time until it is on record.
    os.close(lock)
    _detach_standard_streams()
    return _supervise(folder, launch, environment, tell)


def identity(pid: int) -> dict[str, Any]:
    """Name a process so that a reused pid can't be mistaken for it."""
    return {"pid": pid, "started": _stat(pid)[19], "boot": boot_id()}


def boot_id() -> str:
    """The kernel's name for this boot: pids from before it mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def is_alive(known: dict[str, Any]) -> bool:
    """Whether exactly this process still runs; one that ended but wasn't reaped doesn't."""
    try:
        return _stat(known["pid"])[0] not in "ZX" and identity(known["pid"]) == known
    except (FileNotFoundError, ProcessLookupError):
        return False


def server_of(known: dict[str, Any]) -> int | None:
    """The server a launcher watches, which leads a group of its own; None when it has ended.

    Its pid can't become somebody else's while the launcher lives and has not reaped it.
    """
    if not is_alive(known):
        return None
    try:
        children = Path(f"/proc/{known['pid']}/task/{known['pid']}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(children[0]) if children else None


def is_stopped(known: dict[str, Any]) -> bool:
    """Whether the server was stopped by a signal and waits for SIGCONT."""
    try:
        server = server_of(known)
        return server is not None and _stat(server)[0] == "T"
    except (FileNotFoundError, ProcessLookupError):
        return False


def session_of(pid: int) -> int | None:
    """The session a process belongs to, None when it is gone."""
    try:
        return int(_stat(pid)[3])
    except (FileNotFoundError, ProcessLookupError):
        return None


def write_json(path: Path, value: object) -> None:
    """Write whole or not at all: others read at any moment."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(value))
    partial.replace(path)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name, which may itself hold spaces and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _detach_standard_streams() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)


def _supervise(folder: Path, launch: dict[str, Any], environment: dict[str, str], tell: int) -> int:
    wake, woken = os.pipe()
    for end in (wake, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    for name, limit in launch["limits"].items():
        _lower_limit(getattr(resource, name), limit)
    try:
        server = subprocess.Popen(
            launch["arguments"],
            cwd=launch["directory"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
    except (OSError, ValueError) as error:
        _tell(tell, str(error))
        return 1
    _tell(tell, "started")
    code = _watch(server, wake, BoundedLog(folder, limit=launch["log_bytes"]))
    write_json(folder / EXIT, {"exit_code": code})
    return 0


def _lower_limit(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (limit, limit))


def _tell(pipe: int, verdict: str) -> None:
    with suppress(BrokenPipeError):  # the worker is gone; the replica stays, to be adopted
        os.write(pipe, verdict.encode())
    os.close(pipe)


def _watch(server: "subprocess.Popen[bytes]", wake: int, log: "BoundedLog") -> int:
    """Carry output to the log and signals to the server until it ends; return its exit code."""
    assert server.stdout is not None
    assert server.stderr is not None
    streams = {server.stdout.fileno(): b"o", server.stderr.fileno(): b"e"}
    with selectors.DefaultSelector() as selector:
        selector.register(wake, selectors.EVENT_READ)
        for output in streams:
            os.set_blocking(output, False)
            selector.register(output, selectors.EVENT_READ)
        while server.poll() is None:
            for key, _ in selector.select():
                if key.fd == wake:
                    _forward(os.read(wake, 512), server)
                elif log.copy(key.fd, streams[key.fd]) is False:
                    selector.unregister(key.fd)
    _kill_group(server.pid)  # what the server left behind goes with it
    for output, name in streams.items():
        while log.copy(output, name):
            pass
    log.close()
    # 128 + n for a signal, as a container engine says it.
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


def _forward(numbers: bytes, server: "subprocess.Popen[bytes]") -> None:
    for number in set(numbers) & {signal.SIGTERM, signal.SIGINT}:
        server.send_signal(number)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


class BoundedLog:
    """Two files that take turns: never more than twice the limit, never less than the last part.

    A line of the file is `<ns since 1970> <o or e> <what the server wrote>`. No two have one time.
    """

    def __init__(self, folder: Path, *, limit: int) -> None:
        self._path = folder / LOG
        self._old = folder / OLD_LOG
        self._limit = limit
        self._file = self._path.open("ab", buffering=0)
        self._begun = {b"o": b"", b"e": b""}  # lines whose end has not come yet
        self._last = 0

    def copy(self, source: int, stream: bytes) -> bool | None:
        """Move what is there: True when some was, None when there is none yet, False at the end."""
        try:
            data = os.read(source, 65536)
        except BlockingIOError:
            return None
        if not data:
            return False
        *lines, rest = (self._begun[stream] + data).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
            rest = b""
        self._begun[stream] = rest
        self._write(lines, stream)
        return True

    def close(self) -> None:
        """Write what came without the end of its line."""
        for stream, rest in self._begun.items():
            if rest:
                self._write([rest], stream)

    def _write(self, lines: list[bytes], stream: bytes) -> None:
        written = b"".join(b"%d %b %b\n" % (self._time(), stream, line) for line in lines)
        with suppress(OSError):  # a full disk must not stop the model, nor block it on a full pipe
            if self._file.tell() + len(written) > self._limit:
                self._file.close()
                self._path.replace(self._old)
                self._file = self._path.open("ab", buffering=0)
            self._file.write(written)

    def _time(self) -> int:
        self._last = max(time.time_ns(), self._last + 1)
        return self._last


if __name__ == "__main__":
    # The lock stays open in this process only: the server must not inherit it.
    fcntl.fcntl(int(sys.argv[2]), fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
