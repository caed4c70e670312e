"""The whole system as `make up` starts it, on its own ports and in its own folder."""

import itertools
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 240.0
STOP_SECONDS = 90.0
AT_REST = {"asleep", "drowsy"}  # drowsy: paused, where the runtime can
_OURS = ("DORMOUSE_", "DATABASE_URL", "REDIS_URL", "PYTEST_")
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; made by default, it takes 20 ms
_numbers = itertools.count(1)  # an installation may have been another stack's before


@dataclass(frozen=True)
class Hosted:
    """A hosted model, as its owner and its callers know it."""

    stack: "Stack"
    subdomain: str
    token: str | None

    @property
    def host(self) -> str:
        return f"{self.subdomain}.{self.stack.base_domain}"

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request of a caller, token included."""
        headers = {"Host": self.host, **options.pop("headers", {})}
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return self.stack.callers.request(method, path, headers=headers, **options)

    def query(self, **inputs: Any) -> httpx.Response:
        return self.call("POST", "/v1/query", json=inputs)

    @property
    def detail(self) -> dict[str, Any]:
        answer = self.stack.admin.get(f"models/{self.subdomain}/").raise_for_status()
        shown: dict[str, Any] = answer.json()
        return shown

    @property
    def state(self) -> str:
        return str(self.detail["state"])

    def moves(self) -> list[str]:
        """The states it went through, the oldest first."""
        answer = self.stack.admin.get(f"models/{self.subdomain}/transitions/").raise_for_status()
        return [move["to_state"] for move in reversed(answer.json()["results"])]

    def sleep(self) -> None:
        """Put it to sleep and wait until it is."""
        self.stack.admin.post(f"models/{self.subdomain}/sleep/").raise_for_status()
        eventually(lambda: self.state in AT_REST)

    def set_budget(self, amount: str) -> None:
        """Have it stopped where its month would cost more."""
        body = {"model": self.subdomain, "amount": amount, "stop": True}
        self.stack.admin.put("billing/budgets/", json=body).raise_for_status()

    def usage(self) -> dict[str, Any]:
        answer = self.stack.admin.get(f"models/{self.subdomain}/usage/").raise_for_status()
        counted: dict[str, Any] = answer.json()
        return counted


class Stack:
    """One installation: started, called, stopped."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        runtime: str,
        base_domain: str,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.state = folder
        self.port = port
        self.runtime = runtime
        self.base_domain = base_domain
        self.settings = settings or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[httpx.Client] = []

    def environment(self) -> Mapping[str, str]:
        ours = {
            "DORMOUSE_STATE_DIR": str(self.state),
            "DORMOUSE_PORT": str(self.port),
            "DORMOUSE_RUNTIME": self.runtime,
            "DORMOUSE_BASE_DOMAIN": self.base_domain,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return kept | ours | dict(self.settings)

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the supervisor's command line to its end."""
        return subprocess.run(
            [sys.executable, "-m", "supervisor", *arguments],
            env=self.environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )

    def command_line(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `dormouse` beside the running system."""
        return subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            env=self.environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self) -> None:
        output = self.state.parent / f"{self.state.name}.out"
        with output.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor", "up"],
                env=self.environment(),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = self._process
        ready = self.state / "run" / "ready"
        eventually(lambda: ready.exists() or process.poll() is not None, seconds=START_SECONDS)
        assert process.poll() is None, output.read_text()
        self.demo: dict[str, Any] = json.loads((self.state / "demo.json").read_text())
        self._of_thread = threading.local()
        self.admin = httpx.Client(
            base_url=f"{self.entry}/api/v1/",
            headers={"Authorization": f"Bearer {self.demo['api_key']}", "Host": "localhost"},
            timeout=30,
            trust_env=False,
        )
        self._clients.append(self.admin)

    @property
    def entry(self) -> str:
        """Where the router listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def callers(self) -> httpx.Client:
        """A client of this thread's own: threads that share one close each other's connections."""
        client: httpx.Client | None = getattr(self._of_thread, "client", None)
        if client is None:
            client = httpx.Client(base_url=self.entry, timeout=120, trust_env=False, verify=_TLS)
            self._of_thread.client = client
            self._clients.append(client)
        return client

    def stop(self) -> int:
        """As Ctrl-C does. Returns how it ended."""
        assert self._process is not None
        self._hang_up()
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """As kill -9 on the supervisor does."""
        assert self._process is not None
        self._hang_up()
        self._process.kill()
        self._process.wait()

    def host(self, slug: str = "echo", *, public: bool = False, **settings: Any) -> Hosted:
        """Host a catalogue model under a fresh name."""
        revision = {"image": f"catalogue:{slug}", **settings.pop("revision", {})}
        body = {"subdomain": f"{slug}-{next(_numbers)}", "public": public, "revision": revision}
        answer = self.admin.post("models/", json=body | settings)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        token = None if public else made["token"]["secret"]
        return Hosted(self, subdomain=made["subdomain"], token=token)

    def reap(self) -> None:
        """Wait for the end of one that was told to stop in another way."""
        self._hang_up()
        if self._process is not None:
            self._process.wait(STOP_SECONDS)

    def _hang_up(self) -> None:
        while self._clients:
            self._clients.pop().close()

    def pid(self, marker: str) -> int:
        """The process of ours whose command line has these words."""
        assert self._process is not None
        for pid, arguments in self._children():
            if marker in arguments:
                return pid
        raise AssertionError(f"no process runs {marker!r}")

    @contextmanager
    def frozen(self, marker: str) -> Iterator[None]:
        """Meanwhile this process of ours and its children answer nothing and refuse nothing.

        Afterwards the system follows again, so that the next test meets it whole.
        """
        first = self.pid(marker)
        listed = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        pids = [first, *map(int, listed)]
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        self._until_new_models_are_known()

    def _until_new_models_are_known(self) -> None:
        new, unknown = self.host(), ("not_found", "control_plane_unavailable")
        eventually(lambda: new.call("GET", "/").json()["error"]["code"] not in unknown)

    def _children(self) -> list[tuple[int, str]]:
        assert self._process is not None
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                arguments = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if parent == self._process.pid:
                found.append((int(folder.name), arguments))
        return found


def eventually(reached: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Wait for something the system does by itself."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
