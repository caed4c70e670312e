"""`up --detach`: the same supervisor without a terminal, watched until it serves."""

import subprocess
import sys
import time

from supervisor.errors import SetupFailed
from supervisor.installation import Installation
from supervisor.programs import root

START_SECONDS = 1800.0  # the first start builds images


def detach(installation: Installation) -> None:
    """Start the supervisor in the background and show what it says until it is ready."""
    installation.prepare()
    log = installation.logs / "supervisor.log"
    ready = installation.run / "ready"
    with log.open("ab") as output:
        start = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor", "up", "--background"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=root(),
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    with log.open() as said:
        said.seek(start)
        while True:
            ended = process.poll() is not None
            served = ready.exists() and ready.read_text() == str(process.pid)
            print(said.read(), end="", flush=True)
            if served:
                return
            if ended:
                raise SystemExit(1)
            if time.monotonic() > deadline:
                process.terminate()
                raise SetupFailed(f"Dormouse did not come up. See {log}")
            time.sleep(0.1)
