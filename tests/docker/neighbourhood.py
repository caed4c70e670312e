"""What is around a model: this host with something that listens, and another machine."""

import json
import os
import socket
import subprocess
import sys

from hosting.runtimes.base import Status
from tests.worlds import eventually

# In the other machine: what it is asked for the address “10.0.0.1” it answers with that address, as
# somebody may whose name leads to one place when it is checked and to another when it is used.
_SERVE = """
import socket, sys, threading

def answer_names():
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("", 53))
    while True:
        query, asker = names.recvfrom(512)
        question, labels, at = query[12:-4], [], 0
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4" + socket.inet_aton(".".join(labels))
        head = query[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0"
        names.sendto(head + query[12:] + record, asker)

threading.Thread(target=answer_names, daemon=True).start()
listen = socket.create_server(("", int(sys.argv[1])))
while True:
    listen.accept()[0].close()
"""


def host_addresses(*, netns=""):
    """All of this host, or of another network namespace, but the loopback ones."""
    found = [each["local"] for _, each in _addresses("-4", netns)]
    return [each for each in found if not each.startswith("127.")]


def host_addresses_six(*, netns=""):
    """Likewise; those of one link as this host writes them, with the link's name."""
    found = [(link, each) for link, each in _addresses("-6", netns) if each["scope"] != "host"]
    return [
        f"{each['local']}%{link}" if each["scope"] == "link" else each["local"]
        for link, each in found
    ]


def as_seen_by_a_model(address):
    """Its own link is called eth0, and whatever answers there is on the other end."""
    return f"{address.partition('%')[0]}%eth0" if "%" in address else address


def _addresses(family, netns):
    where = ["-n", netns] if netns else []
    listed = subprocess.run(
        ["ip", *where, family, "-j", "addr"], capture_output=True, check=True
    ).stdout
    return [(link["ifname"], each) for link in json.loads(listed) for each in link["addr_info"]]


def outcomes_in(log):
    line = next(each for each in log.splitlines() if each.startswith("OUTCOMES "))
    return json.loads(line.removeprefix("OUTCOMES "))


class Elsewhere:
    """Another machine, as far as this host's routes tell: a namespace with addresses of ours."""

    INTERNET = "203.0.113.7"
    NEAR = ("10.203.0.7", "192.168.203.7", "100.64.203.7", "169.254.169.254")
    PORT = 4321

    def __init__(self) -> None:
        self.name = f"dm-else-{os.getpid()}"
        self.link, self._there = f"dme{os.getpid()}h", f"dme{os.getpid()}t"
        self._server = None

    def __enter__(self):
        addresses = [self.INTERNET, *self.NEAR]
        ip("netns", "add", self.name)
        ip("link", "add", self.link, "type", "veth", "peer", self._there, "netns", self.name)
        ip("addr", "add", "203.0.113.1/32", "dev", self.link)
        ip("link", "set", self.link, "up")
        for command in (["link", "set", "lo", "up"], ["link", "set", self._there, "up"]):
            ip("-n", self.name, *command)
        ip("-n", self.name, "route", "add", "203.0.113.1/32", "dev", self._there)
        ip("-n", self.name, "route", "add", "default", "via", "203.0.113.1")
        for address in addresses:
            ip("-n", self.name, "addr", "add", f"{address}/32", "dev", self._there)
            ip("route", "add", f"{address}/32", "dev", self.link)
        inside = ["ip", "netns", "exec", self.name, sys.executable, "-c", _SERVE, str(self.PORT)]
        self._server = subprocess.Popen(inside)
        for address in addresses:  # it is really there, and this host gets through
            eventually(lambda a=address: dialled(a, self.PORT))
        return self

    def __exit__(self, *_):
        if self._server is not None:
            self._server.kill()
            self._server.wait()
        ip("link", "del", self.link)
        ip("netns", "del", self.name)


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def dialled(address, port):
    socket.create_connection((address, port), timeout=1).close()
    return True


def ended(world, name):
    found = world.runtime.find(name)
    return found if found and found.status is Status.EXITED else None
