"""Running one command after another before serving, with its progress shown."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from supervisor import spawning
from supervisor.errors import SetupFailed
from supervisor.programs import root

Say = Callable[[str], None]


def manage(
    *arguments: str, environment: Mapping[str, str], log: Path, say: Say | None = None
) -> str:
    """Run a management command to its end and return what it printed on stdout.

    What it prints on stderr is its progress: each line goes to `say`, and everything to `log`.
    """
    argv = [sys.executable, "manage.py", *arguments]
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=root(),
        start_new_session=True,
        preexec_fn=spawning.tie_to_parent(signal.SIGTERM),
    )
    try:
        printed = _follow(process, log=log, say=say)
    except BaseException:
        spawning.stop(process, by=signal.SIGTERM, grace_seconds=10)
        raise
    if process.wait() != 0:
        raise SetupFailed(_reason(arguments, log=log))
    return printed


def _follow(process: "subprocess.Popen[str]", *, log: Path, say: Say | None) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    unexpected = False
    with log.open("a") as file:
        for line in process.stderr:
            file.write(line)
            file.flush()
            unexpected = unexpected or line.startswith("Traceback")
            if say is not None and line.strip() and not unexpected:
                say(line.rstrip())
        return process.stdout.read()


def _reason(arguments: Sequence[str], *, log: Path) -> str:
    last = spawning.tail(log, lines=1)
    if os.strerror(28) in spawning.tail(log, lines=30):
        return "The disk is full. Free some space and start again."
    return f"`manage.py {arguments[0]}` failed: {last} (log: {log})"
