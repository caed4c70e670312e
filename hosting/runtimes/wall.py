"""What keeps models off this host, and off everything near it: firewall rules for their bridges.

An internal bridge alone has no way out, but its gateway is this host, with everything that listens
on it. A bridge with a way out leads to this host's neighbours, too. Root sets the rules itself.
A worker without the right, as in compose, lets the engine run a moment's container that has nothing
but this right, if its image is there.
"""

import ipaddress
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from docker.errors import APIError, NotFound

from hosting.runtimes.engine import Engine

# Made by: scripts/build_base_image.sh dormouse/walls:1 iptables
WALL_IMAGE = "dormouse/walls:1"

# Everything that is not the internet: this network, the neighbours', carriers', the metadata
# address, groups and what is reserved.
NEIGHBOURS = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
_RESOLVERS = Path("/etc/resolv.conf")

Rule = tuple[str, ...]  # a chain and what stands in it

# Debian's two back ends; a rule in either holds, but only one has the engine's chains. When a rule
# is missing all are set: what allows must stand above what forbids.
_SET_RULES = """
PATH=$PATH:/usr/sbin
has() { iptables-nft -w 5 -C "$@" 2>/dev/null || iptables-legacy -w 5 -C "$@" 2>/dev/null; }
set_it() { iptables-nft -w 5 -I "$@" 2>/dev/null || iptables-legacy -w 5 -I "$@"; }
each() { %s; }
each has || each set_it
"""


class Wall:
    """The rules of one bridge, from the bottom up. Setting them again changes nothing."""

    def __init__(
        self,
        bridge: str,
        engine: Engine,
        *,
        internet: bool = False,
        may_set_it_itself: bool = True,
    ) -> None:
        self._rules: list[Rule] = [
            ("INPUT", "-i", bridge, "-m", "conntrack", "--ctstate", "NEW", "-j", "DROP")
        ]
        if internet:
            self._rules += _only_internet(bridge)
        self._engine = engine
        self._directly = may_set_it_itself and shutil.which("iptables") is not None
        self._helper_did_it = False

    def ensure(self, *, again: bool = False) -> str | None:
        """Set the rules where they are missing; what a person should do, if nobody here could."""
        if self._directly and all(_iptables("-C", each) for each in self._rules):
            return None
        # Not only what is missing: what allows must stand above what forbids.
        if self._directly and all(_iptables("-I", each) for each in self._rules):
            return None
        # A container takes a third of a second: not on every wake that looks.
        if again or not self._helper_did_it:
            self._helper_did_it = self._by_helper()
        if self._helper_did_it:
            return None
        commands = "; ".join(shlex.join(("iptables", "-I", *each)) for each in self._rules)
        return (
            "Models can reach services that listen on this host, because nothing here may change "
            f"its firewall. As root, run: {commands}"
        )

    def remove(self) -> None:
        """Take the rules away, as often as they are there."""
        for rule in self._rules:
            while self._directly and _iptables("-D", rule):
                pass

    def _by_helper(self) -> bool:
        each = " && ".join(f'"$1" {shlex.join(rule)}' for rule in self._rules)
        client = self._engine.client
        try:
            helper = client.create_container(
                WALL_IMAGE,
                command=["sh", "-c", _SET_RULES % each],
                labels={"dormouse.wall": "1"},
                network_disabled=False,
                host_config=client.create_host_config(
                    network_mode="host",
                    cap_drop=["ALL"],
                    cap_add=["NET_ADMIN", "NET_RAW"],
                    read_only=True,
                    tmpfs={"/run": "size=1m"},
                    security_opt=["no-new-privileges"],
                ),
            )
        except NotFound:
            return False
        try:
            client.start(helper["Id"])
            return bool(client.wait(helper["Id"], timeout=20)["StatusCode"] == 0)
        except APIError:
            return False
        finally:
            client.remove_container(helper["Id"], force=True)


def _only_internet(bridge: str) -> list[Rule]:
    """The engine's own chain for such rules is asked before any that lets something through."""
    start = ("DOCKER-USER", "-i", bridge)
    drop: list[Rule] = [(*start, "-d", each, "-j", "DROP") for each in NEIGHBOURS]
    allow: list[Rule] = [
        (*start, "-d", resolver, "-p", way, "--dport", "53", "-j", "RETURN")
        for resolver in resolvers()
        for way in ("udp", "tcp")
    ]
    return drop + allow


def resolvers(file: Path = _RESOLVERS) -> Sequence[str]:
    """Who answers names for this host: often a neighbour, and a model on the internet needs it."""
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except FileNotFoundError:
        return ()
    named = [line[1] for line in lines if len(line) > 1 and line[0] == "nameserver"]
    return [each for each in named if _is_elsewhere(each)]


def _is_elsewhere(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed.version == 4 and not parsed.is_loopback


def _iptables(action: str, rule: Rule) -> bool:
    done = subprocess.run(["iptables", "-w", "5", action, *rule], capture_output=True, check=False)
    return done.returncode == 0
