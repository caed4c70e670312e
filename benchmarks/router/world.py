"""What every measurement runs against: a table of models, a stub that answers for them, targets."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOMAIN = "models.localhost"
MODELS = 1000
BLOB_BYTES = 1 << 20
ANSWER = json.dumps({"generated_text": "the quick brown fox jumps over the lazy dog " * 3, "n": 1})

# One core for the load and the stub, one for the target: what is measured has a core to itself.
LOAD_CORE, TARGET_CORE = ("0", "1") if (os.cpu_count() or 1) > 1 else ("0", "0")


def token(number: int) -> str:
    """The bearer token of model `m<number>`."""
    return f"token-of-m{number}-0123456789abcdef0123456789abcdef"


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@dataclass(frozen=True)
class Target:
    """Something that stands between the load and the stub."""

    name: str
    port: int
    pid: int


@dataclass(frozen=True)
class World:
    """The folder of one run, the stub's ports, and the targets under test."""

    folder: Path
    stub_port: int
    slow_port: int

    def routes(self) -> Path:
        """The static table of our router."""
        path = self.folder / "routes.json"
        table = {
            f"m{n}": {
                "id": n + 1, "host": "127.0.0.1", "port": self.stub_port, "limit": 1000,
                "sha256": hashlib.sha256(token(n).encode()).hexdigest(),
            }
            for n in range(MODELS)
        }  # fmt: skip
        for number, (name, limit) in enumerate((("slow", 0), ("one", 1))):
            table[name] = {
                "id": 2000 + number, "host": "127.0.0.1", "port": self.slow_port, "limit": limit,
                "sha256": None,
            }  # fmt: skip
        path.write_text(json.dumps(table))
        return path


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Start the stubs."""
    blob = folder / "www" / "v1" / "blob"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(os.urandom(BLOB_BYTES))
    made = World(folder, free_port(), free_port())
    slow = [sys.executable, str(Path(__file__).with_name("slow_stub.py")), str(made.slow_port)]
    with ExitStack() as stack:
        stack.enter_context(nginx_process(folder, "stub", _stub(made), core=LOAD_CORE))
        stack.enter_context(process(slow, core=LOAD_CORE, port=made.slow_port))
        yield made


@contextmanager
def direct(made: World) -> Iterator[Target]:
    """No router at all."""
    yield Target("direct", made.stub_port, 0)


@contextmanager
def dormouse(made: World, *limits: str) -> Iterator[Target]:
    """Our router with every limit and the spool on; `limits` as NAME=VALUE to set some anew."""
    port = free_port()
    command = [
        sys.executable, "-m", "hosting.router", "--listen", f"127.0.0.1:{port}", "--base-domain",
        DOMAIN, "--routes", str(made.routes()), "--spool", str(made.folder / "spool"),
        *(part for limit in limits for part in ("--limit", limit)),
    ]  # fmt: skip
    with process(command, core=TARGET_CORE, port=port) as pid:
        _await_answer(port)  # its parent listens before there is anybody to answer
        yield Target("dormouse", port, pid)


@contextmanager
def nginx(made: World) -> Iterator[Target]:
    """Routing by Host, kept-alive connections, no buffering; no tokens, no limits, no counting."""
    port = free_port()
    hosts = "".join(f"m{n}.{DOMAIN} fast;\n" for n in range(MODELS)) + f"slow.{DOMAIN} slow;\n"
    text = f"""
      map_hash_max_size 8192; map_hash_bucket_size 256;
      map $host $behind {{ {hosts} }}
      upstream fast {{ server 127.0.0.1:{made.stub_port}; keepalive 128;
                       keepalive_requests 1000000000; }}
      upstream slow {{ server 127.0.0.1:{made.slow_port}; keepalive 128; }}
      server {{ listen 127.0.0.1:{port} backlog=4096;
        location / {{ if ($behind = "") {{ return 404; }}
          proxy_pass http://$behind; proxy_http_version 1.1; proxy_set_header Connection "";
          proxy_set_header Host $host; proxy_request_buffering off;
          location = /v1/blob {{ proxy_pass http://$behind; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_buffering on; proxy_buffer_size 128k;
            proxy_buffers 16 128k; proxy_busy_buffers_size 256k; }}
          proxy_buffering off; }} }}"""
    with nginx_process(made.folder, "target", text, core=TARGET_CORE) as pid:
        yield Target("nginx", port, pid)


def _stub(made: World) -> str:
    # "$request_id" makes each answer different: a router that remembers whole heads gains nothing.
    return f"""
      root {made.folder}/www;
      server {{ listen 127.0.0.1:{made.stub_port} backlog=4096;
        location = /v1/blob {{ }}
        location / {{ add_header X-Request-Id $request_id; return 200 '{ANSWER}'; }} }}"""


@contextmanager
def nginx_process(
    folder: Path, name: str, http: str, *, core: str, modules: str = ""
) -> Iterator[int]:
    """An nginx with this `http` section; its process id."""
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(binary).exists():
        sys.exit("The benchmark compares with nginx: apt-get install nginx-light wrk")
    temporary = "".join(
        f"{kind}_temp_path {folder}/{name}-{kind}; "
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / f"{name}.conf"
    config.write_text(f"""
      {modules} worker_processes 1; daemon off; master_process off; error_log stderr crit;
      pid {folder}/{name}.pid; worker_rlimit_nofile 20000;
      events {{ worker_connections 10000; }}
      http {{ access_log off; tcp_nodelay on; sendfile on; keepalive_requests 1000000000;
        keepalive_timeout 600s; client_max_body_size 0; default_type application/json;
        {temporary} {http} }}""")
    port = int(http.split("listen 127.0.0.1:")[1].split()[0])
    with process([binary, "-c", str(config)], core=core, port=port) as pid:
        yield pid


@contextmanager
def process(command: list[str], *, core: str, port: int) -> Iterator[int]:
    """A process on one core that listens on this port; its id."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
    pinned = ["taskset", "-c", core, *command]
    process = subprocess.Popen(pinned, env=environment, stderr=subprocess.DEVNULL)
    try:
        _await_listener(process, port)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def _await_answer(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
        if not sock.recv(1):
            sys.exit("the router does not answer")


def _await_listener(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None:
                sys.exit(f"{process.args!r} ended with {process.returncode}")
            time.sleep(0.05)
    sys.exit(f"{process.args!r} does not listen")
