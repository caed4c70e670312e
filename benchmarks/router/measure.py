"""Single measurements of one target. Each returns plain numbers."""

import asyncio
import os
import re
import socket
import statistics
import subprocess
import time
from pathlib import Path

from benchmarks.router.world import DOMAIN, LOAD_CORE, MODELS, Target, World, token

_TICK = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all below it."""
    found, todo = [], [pid]
    while todo:
        each = todo.pop()
        found.append(each)
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            todo += [int(child) for child in task.read_text().split()]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the process tree."""
    total = 0
    for each in tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


def memory_kib(pid: int) -> int:
    """Proportional memory of the process tree."""
    total = 0
    for each in tree(pid):
        text = Path(f"/proc/{each}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)
        total += int(found[1]) if found else 0
    return total


def _settled_memory_kib(pid: int) -> int:
    known = -1
    while (memory := memory_kib(pid)) != known:
        known = memory
        time.sleep(1)
    return memory


def throughput(
    target: Target,
    *,
    seconds: int,
    path: str = "/v1/vary",
    method: str = "POST",
    connections: int = 32,
    models: int = MODELS,
) -> tuple[float, float]:
    """Requests per second of CPU core, and microseconds of CPU per request."""
    script = str(Path(__file__).with_name("vary.lua"))
    command = [
        "taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script,
        f"http://127.0.0.1:{target.port}",
    ]  # fmt: skip
    before = cpu_seconds(target.pid)
    environment = {**os.environ, "BENCH_PATH": path, "BENCH_METHOD": method}
    environment["BENCH_MODELS"] = str(models)
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    used = cpu_seconds(target.pid) - before
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", out.stdout)
    if found is None or int(found[3]) or int(found[4]):
        raise RuntimeError(f"{target.name}: not every request was answered: {out.stdout[-300:]}")
    requests, microseconds = int(found[1]), int(found[2])
    return requests / (microseconds / 1e6), used * 1e6 / requests


def head(path: str, *, host: str = "m0", method: str = "POST", body: bytes = b"{}") -> bytes:
    """The bytes of one request."""
    number = int(host[1:]) if host.startswith("m") else 0
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {host}.{DOMAIN}\r\nAuthorization: Bearer "
        f"{token(number)}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def latency_ms(target: Target, *, rate: int = 500, seconds: int) -> float:
    """Median from sending a request to its answer, at a fixed rate that waits for no answer."""

    async def one(taken: list[float], idle: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        sock = idle.pop() if idle else _connected(target)
        sent = time.perf_counter()
        await loop.sock_sendall(sock, head("/v1/vary"))
        await loop.sock_recv(sock, 4096)
        taken.append(time.perf_counter() - sent)
        idle.append(sock)

    async def run() -> list[float]:
        taken: list[float] = []
        idle = [_connected(target) for _ in range(40)]
        start, running = time.perf_counter(), set()
        for number in range(rate * seconds):
            left = start + number / rate - time.perf_counter()
            if left > 0:  # no busy waiting: the stub shares this core
                await asyncio.sleep(left)
            task = asyncio.create_task(one(taken, idle))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        for sock in idle:
            sock.close()
        return taken

    return statistics.median(asyncio.run(run())) * 1000


def _connected(target: Target) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", target.port))
    sock.setblocking(False)
    return sock


def idle_kib(target: Target, *, connections: int = 2000) -> float:
    """Memory per connection that has been answered and is kept open."""
    before = memory_kib(target.pid)
    socks = []
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", target.port))
        sock.sendall(head("/v1/vary"))
        sock.recv(4096)
        socks.append(sock)
    each = (_settled_memory_kib(target.pid) - before) / connections
    for sock in socks:
        sock.close()
    return each


def held_kib(target: Target, *, requests: int) -> float:
    """Memory per request that waits for a slot; the model `one` has a single one."""
    before = memory_kib(target.pid)
    socks = []
    for _ in range(requests):
        sock = socket.create_connection(("127.0.0.1", target.port))
        sock.sendall(head("/v1/slow", host="one", body=b'{"prompt": "a"}'))
        socks.append(sock)
    each = (_settled_memory_kib(target.pid) - before) / requests
    for sock in socks:
        sock.close()
    return each


def event_ms(port: int) -> tuple[float, float]:
    """Median delay between the model's write and our read: of first events, and of all."""
    firsts, delays = [], []
    for _ in range(9):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(head("/v1/events", host="slow", method="GET", body=b""))
        data = b""
        while b"0\r\n\r\n" not in data[-7:]:
            new = sock.recv(65536)
            now = time.monotonic()
            told = [now - float(moment) for moment in re.findall(rb"data: (\d+\.\d+)", new)]
            firsts += [] if b"data: " in data else told[:1]
            delays += told
            data += new
        sock.close()
    return statistics.median(firsts) * 1000, statistics.median(delays) * 1000


def abort_ms(world: World, port: int) -> float:
    """Median from a caller's hanging up to the model's noticing."""
    taken = []
    for _ in range(5):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(head("/v1/slow", host="slow", method="GET", body=b""))
        time.sleep(0.2)
        left_at = time.monotonic()
        sock.close()
        time.sleep(0.3)
        asked = socket.create_connection(("127.0.0.1", world.slow_port))
        asked.sendall(head("/v1/hung_up", host="slow", method="GET", body=b""))
        noticed = float(asked.recv(4096).rpartition(b"\r\n\r\n")[2])
        asked.close()
        taken.append(noticed - left_at)
    return statistics.median(taken) * 1000
