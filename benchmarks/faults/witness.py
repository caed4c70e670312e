"""Who ran what: the log of every container, read from the engine as it is written.

Not from the platform, whose word is what is to be proved.
"""

import threading
from collections import Counter

import docker
import requests
from django.conf import settings
from docker.errors import APIError

from benchmarks.faults.subject import RAN
from hosting.runtimes import box

_DAY = 86_400  # a log may be silent for long


class Witness:
    """Counts the runs of each marker in all containers of this installation, the removed too."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self._adding = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        filters = {"event": "start", "label": f"{box.INSTALLATION}={settings.INSTALLATION}"}
        for event in docker.APIClient(timeout=_DAY).events(filters=filters, decode=True):
            threading.Thread(target=self._read, args=(event["id"],), daemon=True).start()

    def _read(self, container: str) -> None:
        left = b""
        try:
            for chunk in docker.APIClient(timeout=_DAY).logs(container, stream=True, follow=True):
                *lines, left = (left + chunk).split(b"\n")
                with self._adding:
                    self.runs.update(
                        line.removeprefix(RAN.encode()).decode()
                        for line in lines
                        if line.startswith(RAN.encode())
                    )
        except (APIError, requests.RequestException):
            return  # removed before, or while, it was read
