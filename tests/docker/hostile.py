"""Runs inside a model's container and tries everything; prints what happened, as one JSON line.

python hostile.py '{"neighbour": ["172.18.0.2", 9000], "host": [["172.18.0.1", 4000]]}'
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor


def main(targets):
    libc = ctypes.CDLL(None, use_errno=True)
    dials = {
        "connect to another model": lambda: connect(*targets["neighbour"]),
        "connect to the metadata address": lambda: connect("169.254.169.254", 80),
        "connect to the internet": lambda: connect(*targets.get("internet", ["1.1.1.1", 443])),
        "resolve a name": lambda: socket.getaddrinfo("example.com", 80),
    }
    attempts = {
        "write to the root": lambda: write("/marker"),
        "write to its own code": lambda: write("/srv/server.py"),
        "write to /etc": lambda: write("/etc/passwd"),
        "change a kernel setting": lambda: write("/proc/sys/kernel/core_pattern"),
        "fill the temporary folder": lambda: fill("/tmp/full", 256),
        "fill the shared memory": lambda: fill("/dev/shm/full", 256),
        "run a program it wrote": run_own_program,
        "become root": lambda: os.setuid(0),
        "mount a file system": lambda: call(libc.mount, b"none", b"/tmp", b"tmpfs", 0, None),
        "make a user namespace": lambda: call(libc.unshare, 0x10000000),
        "make a network namespace": lambda: call(libc.unshare, 0x40000000),
        "change its root": lambda: os.chroot("/tmp"),
        "open a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
        "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "make a device": lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0)),
        "set the clock": lambda: time.clock_settime(0, 0),
        "reach the engine": lambda: open_unix("/var/run/docker.sock"),
        "start a thousand processes": many_processes,
    }
    for address, port in targets["host"]:
        dials[f"connect to the host at {address}:{port}"] = lambda a=address, p=port: connect(a, p)
    for address, port in targets.get("near", []):
        dials[f"connect nearby to {address}:{port}"] = lambda a=address, p=port: connect(a, p)
    for address, port in targets.get("six", []):
        dials[f"connect to [{address}]:{port}"] = lambda a=address, p=port: connect(a, p)
    for address, port in targets.get("rebind", []):
        dials[f"follow a name to {address}:{port}"] = lambda a=address, p=port: follow(
            targets, a, p
        )
    for name in ("localhost.localdomain", "host.docker.internal", targets.get("hostname", "host")):
        dials[f"know the host by {name}"] = lambda n=name: socket.gethostbyname(n)
    outcomes = {name: outcome(attempt) for name, attempt in attempts.items()}
    with ThreadPoolExecutor(16) as dialers:  # each waits for an answer that doesn't come
        outcomes |= zip(dials, dialers.map(outcome, dials.values()), strict=True)
    for address, port in targets["host"]:  # datagrams give no answer: the host says what came
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            outcome(lambda a=address, p=port, s=sender: s.sendto(b"from a model", (a, p)))
    sys.stdout.write(f"OUTCOMES {json.dumps(outcomes)}\n")


def outcome(attempt):
    try:
        attempt()
    except Exception as error:
        return f"refused: {type(error).__name__}: {error}"
    return "DONE"


def connect(address, port):
    socket.create_connection((address, port), timeout=1.5).close()


def follow(targets, address, port):
    """Connect to what a name server outside says today: never what it said when it was checked."""
    question = b"".join(bytes([len(each)]) + each.encode() for each in address.split("."))
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + question + b"\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.settimeout(1.5)
        resolver.sendto(query, tuple(targets["names"]))
        answer = resolver.recv(512)
    connect(socket.inet_ntoa(answer[-4:]), port)


def open_unix(path):
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect(path)


def write(path):
    with open(path, "ab") as file:
        file.write(b"marker")


def fill(path, megabytes):
    try:
        with open(path, "wb") as file:
            for _ in range(megabytes):
                file.write(bytes(1024 * 1024))
    finally:
        os.unlink(path)


def run_own_program():
    with open("/tmp/own", "w") as file:
        file.write("#!/bin/sh\nexit 0\n")
    os.chmod("/tmp/own", 0o755)
    subprocess.run(["/tmp/own"], check=True)


def call(function, *arguments):
    if function(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def many_processes():
    children = []
    try:
        for _ in range(1000):
            child = os.fork()
            if not child:
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
