"""The rule that keeps models off this host: new connections from their bridge are dropped.

An internal bridge alone has no way out, but its gateway is this host, with everything that listens
on it. Root sets the rule itself. A worker without the right, as in compose, lets the engine run a
moment's container that has nothing but this right, if its image is there.
"""

import shutil
import subprocess

from docker.errors import APIError, NotFound

from hosting.runtimes.engine import Engine

# Made by: scripts/build_base_image.sh dormouse/walls:1 iptables
WALL_IMAGE = "dormouse/walls:1"

# Debian's two back ends; a rule in either holds. The script gets the rule as its arguments.
_SET_RULE = """
for tables in /usr/sbin/iptables-nft /usr/sbin/iptables-legacy; do
  "$tables" -w 5 -C INPUT "$@" 2>/dev/null && exit 0
  "$tables" -w 5 -I INPUT "$@" && exit 0
done
exit 1
"""


class Wall:
    """One rule for one bridge. Setting it again changes nothing."""

    def __init__(self, bridge: str, engine: Engine, *, may_set_it_itself: bool = True) -> None:
        self._rule = ["-i", bridge, "-m", "conntrack", "--ctstate", "NEW", "-j", "DROP"]
        self._engine = engine
        self._directly = may_set_it_itself and shutil.which("iptables") is not None
        self._helper_did_it = False

    def ensure(self, *, again: bool = False) -> str | None:
        """Set the rule where it is missing; what a person should do, if nobody here could."""
        if self._directly and (_iptables("-C", self._rule) or _iptables("-I", self._rule)):
            return None
        # A container takes a third of a second: not on every wake that looks.
        if again or not self._helper_did_it:
            self._helper_did_it = self._by_helper()
        if self._helper_did_it:
            return None
        return (
            "Models can reach services that listen on this host, because nothing here may change "
            f"its firewall. As root, run: iptables -I INPUT {' '.join(self._rule)}"
        )

    def remove(self) -> None:
        """Take the rule away, as often as it is there."""
        while self._directly and _iptables("-D", self._rule):
            pass

    def _by_helper(self) -> bool:
        client = self._engine.client
        try:
            helper = client.create_container(
                WALL_IMAGE,
                command=["sh", "-c", _SET_RULE, "sh", *self._rule],
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


def _iptables(action: str, rule: list[str]) -> bool:
    done = subprocess.run(
        ["iptables", "-w", "5", action, "INPUT", *rule], capture_output=True, check=False
    )
    return done.returncode == 0
