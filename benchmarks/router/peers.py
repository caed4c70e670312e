"""Other people's routers, for `FULL=1`: HAProxy, nginx with Lua, aiohttp, JupyterHub's proxy.

Each gets the same table and does as much of our router's work as it is used for elsewhere. What is
not installed and can't be fetched is left out, and said so.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.router import world
from benchmarks.router.world import MODELS, TARGET_CORE, Target, World, free_port, token

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dormouse-bench"
LUA_MODULES = Path("/usr/share/nginx/modules")


class Missing(Exception):
    """This one can't be measured here; the message says why."""


@contextmanager
def haproxy(made: World) -> Iterator[Target]:
    """Routing by Host, the token's SHA-256 looked up in a map; nothing is counted."""
    binary = shutil.which("haproxy") or "/usr/sbin/haproxy"
    if not Path(binary).exists():
        raise Missing("apt-get install haproxy")
    port, folder = free_port(), made.folder
    tokens = folder / "haproxy.map"
    tokens.write_text("".join(f"m{n}:{_sha256(n)} m{n}\n" for n in range(MODELS)))
    config = folder / "haproxy.cfg"
    config.write_text(f"""
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout client 600s
  timeout server 600s
  timeout connect 5s
  http-reuse always
  option http-no-delay
frontend models
  bind 127.0.0.1:{port} backlog 4096
  http-request set-var(txn.name) req.hdr(host),lower,field(1,.)
  http-request set-var(txn.sum) req.hdr(authorization),regsub(^Bearer\\ ,),sha2(256),hex,lower
  http-request set-var(txn.key) var(txn.name),concat(:,txn.sum)
  http-request deny deny_status 401 unless {{ var(txn.key),map({tokens}) -m found }}
  http-request del-header authorization
  default_backend stub
backend stub
  server stub 127.0.0.1:{made.stub_port} pool-max-conn 512
""")
    with world.process([binary, "-db", "-f", str(config)], core=TARGET_CORE, port=port) as pid:
        yield Target("haproxy", port, pid)


@contextmanager
def nginx_lua(made: World) -> Iterator[Target]:
    """Routing, the token's SHA-256, a limit of requests at once, a line per request in a file."""
    if not (LUA_MODULES / "ngx_http_lua_module.so").exists():
        raise Missing("apt-get install libnginx-mod-http-lua")
    port, folder = free_port(), made.folder
    table = folder / "models.tsv"
    table.write_text("".join(f"m{n}\t{n + 1}\t{_sha256(n)}\t1000\n" for n in range(MODELS)))
    script = Path(__file__).with_name("gate.lua").read_text()
    (folder / "gate.lua").write_text(script)
    text = f"""
      lua_package_path "{folder}/?.lua;;"; lua_shared_dict in_flight 10m;
      init_by_lua_block {{ gate = require "gate"; gate.load("{table}") }}
      init_worker_by_lua_block {{ gate.write_down_every_second("{folder}/lua-usage.log") }}
      upstream fast {{ server 127.0.0.1:{made.stub_port}; keepalive 128;
                       keepalive_requests 1000000000; }}
      server {{ listen 127.0.0.1:{port} backlog=4096;
        location / {{ access_by_lua_block {{ gate.admit() }} log_by_lua_block {{ gate.account() }}
          proxy_pass http://fast; proxy_http_version 1.1; proxy_set_header Connection "";
          proxy_set_header Authorization ""; proxy_set_header Host $host;
          proxy_buffering off; proxy_request_buffering off; }} }}"""
    modules = "".join(
        f"load_module {LUA_MODULES}/{name}.so; "
        for name in ("ndk_http_module", "ngx_http_lua_module")
    )
    with world.nginx_process(folder, "lua", text, core=TARGET_CORE, modules=modules) as pid:
        yield Target("nginx_lua", port, pid)


@contextmanager
def aiohttp(made: World) -> Iterator[Target]:
    """What one writes with the best-known library, on uvloop: routing, token, limit, counting."""
    python = CACHE / "venv" / "bin" / "python"
    if not python.exists():
        _quietly(lambda: venv.create(CACHE / "venv", with_pip=True), "a virtual environment")
        install = [str(python), "-m", "pip", "install", "-q", "aiohttp", "uvloop"]
        _quietly(lambda: subprocess.run(install, check=True, capture_output=True), "pip: aiohttp")
    port = free_port()
    script = str(Path(__file__).with_name("aiohttp_proxy.py"))
    command = [str(python), script, str(port), str(made.routes())]
    with world.process(command, core=TARGET_CORE, port=port) as pid:
        yield Target("aiohttp", port, pid)


@contextmanager
def configurable_http_proxy(made: World) -> Iterator[Target]:
    """JupyterHub's proxy: routing by Host only."""
    binary = CACHE / "chp" / "node_modules" / ".bin" / "configurable-http-proxy"
    if not binary.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise Missing("apt-get install npm")
        package = "configurable-http-proxy@5"
        command = [npm, "install", "--silent", "--prefix", str(CACHE / "chp"), package]
        _quietly(
            lambda: subprocess.run(command, check=True, capture_output=True), f"npm: {package}"
        )
    port, api = free_port(), free_port()
    command = [
        str(binary), "--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1",
        "--api-port", str(api), "--host-routing", "--log-level", "error", "--no-x-forward",
        "--default-target", f"http://127.0.0.1:{made.stub_port}",
    ]  # fmt: skip
    with world.process(command, core=TARGET_CORE, port=port) as pid:
        yield Target("configurable-http-proxy", port, pid)


ALL: tuple[Callable[[World], AbstractContextManager[Target]], ...] = (
    nginx_lua, haproxy, aiohttp, configurable_http_proxy,
)  # fmt: skip


def _sha256(number: int) -> str:
    return hashlib.sha256(token(number).encode()).hexdigest()


def _quietly(install: Callable[[], object], what: str) -> None:
    """Fetch something once into the cache."""
    print(f"# fetching {what}", file=sys.stderr, flush=True)
    try:
        install()
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"{what} could not be fetched: {error}") from error
