#!/usr/bin/env bash
# A cluster on one machine, to try and test on: three Docker engines, each a node with a network,
# mounts and data of its own, joined into one swarm. The machine's own engine is left alone.
#
#   scripts/three_nodes.sh up [IMAGE...]   start and join them; copy IMAGEs over from the machine's engine
#   scripts/three_nodes.sh cut N           node N loses its power: everything on it is killed
#   scripts/three_nodes.sh start N         node N comes back
#   scripts/three_nodes.sh down            end all of it
#
# Node 3 says that it has two GPUs; there are none behind the names.
# NODES_DIR (default: a folder in /tmp) holds everything; node 1 is the manager, and its socket is
# NODES_DIR/1/docker.sock. Nodes are 10.83.0.11 to .13, reached from this machine. Needs root.
set -euo pipefail

top=${NODES_DIR:-${TMPDIR:-/tmp}/dormouse-nodes}
bridge=dmnodes
net=10.83.0

fail() { echo "three_nodes: $*" >&2; exit 1; }
on() { local node=$1; shift; docker -H "unix://$top/$node/docker.sock" "$@"; }
space() { echo "dmnode$1"; }

needs() {
  [ "$(id -u)" = 0 ] || fail "run it as root"
  for tool in dockerd docker ip iptables nsenter unshare; do
    command -v "$tool" >/dev/null || fail "$tool is missing (Debian: docker.io iproute2 iptables util-linux)"
  done
}

# A second engine in the same network namespace would remove the first one's bridge.
wire() {
  local name; name=$(space "$1")
  ip netns add "$name" 2>/dev/null || fail "network namespaces can't be made here"
  ip link add "dmveth$1" type veth peer name eth0 netns "$name"
  ip link set "dmveth$1" master "$bridge" up
  ip -n "$name" link set lo up
  ip -n "$name" addr add "$net.1$1/24" dev eth0
  ip -n "$name" link set eth0 up
  ip -n "$name" route add default via "$net.1"
}

# What scripts/node_walls.sh does on a real machine: models answer, and can't begin anything.
wall() {
  local name; name=$(space "$1")
  nsenter --net="/run/netns/$name" bash "$(dirname "$0")/node_walls.sh" >/dev/null
}

# Likewise scripts/node_internet.sh, once the node is in the cluster.
way_out() {
  nsenter --net="/run/netns/$(space "$1")" env DOCKER_HOST="unix://$top/$1/docker.sock" \
    bash "$(dirname "$0")/node_internet.sh" >/dev/null
}

start() {
  local node=$1 home=$top/$1
  mkdir -p "$home"
  ip netns list | grep -qw "$(space "$node")" || wire "$node"
  # Numbers that a killed engine left may be somebody else's by now.
  rm -f "$home/docker.pid" "$home/docker.sock" "$home/exec/containerd/containerd.pid"
  cat >"$home/daemon.json" <<JSON
{"icc": false, "userland-proxy": false, "no-new-privileges": true, "insecure-registries": ["$net.0/24"],
 "bip": "10.84.$node.1/24", "default-address-pools": [{"base": "10.85.$node.0/24", "size": 28}],
 "node-generic-resources": [$([ "$node" != 3 ] || echo '"gpu=GPU-1", "gpu=GPU-2"')]}
JSON
  # nsenter, not `ip netns exec`: that mounts a /sys without the cgroups. A /run of its own keeps
  # the engine's sockets and network namespaces apart from the others'.
  nohup setsid nsenter --net="/run/netns/$(space "$node")" unshare --mount --uts bash -c "
    hostname node$node; mount --make-rprivate /; mount -t tmpfs tmpfs /run
    exec dockerd --host unix://$home/docker.sock --pidfile $home/docker.pid \
      --data-root $home/data --exec-root $home/exec --config-file $home/daemon.json" \
    >>"$home/log" 2>&1 </dev/null &
  for _ in $(seq 200); do
    if on "$node" version >/dev/null 2>&1; then wall "$node"; return; fi
    sleep 0.1
  done
  tail -n 5 "$home/log" >&2
  fail "engine $node does not come up; $home/log"
}

# By number, never by name: what is in the node's namespace, the engine and its shims (known by
# their folder), and the shims' children, which are the containers.
pids() {
  { ip netns pids "$(space "$1")" 2>/dev/null || true
    for process in $(grep -lsF "$top/$1/" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
      case $process in "$$" | "$BASHPID" | "$PPID") continue ;; esac
      echo "$process"
      cat "/proc/$process/task/$process/children" 2>/dev/null | tr ' ' '\n'
    done; } | grep -vxE "$$|$BASHPID|$PPID|" | sort -un
}

power_off() {
  local found; found=$(pids "$1" || true)
  # shellcheck disable=SC2086
  [ -z "$found" ] || kill -9 $found 2>/dev/null || true
}

up() {
  needs
  [ ! -e "$top/1/docker.sock" ] || fail "it runs already; $0 down ends it"
  mkdir -p "$top"
  ip link add "$bridge" type bridge && ip addr add "$net.1/24" dev "$bridge" && ip link set "$bridge" up
  # Where bridged frames meet the firewall, Docker's own policy would drop them.
  iptables -w -I FORWARD -i "$bridge" -o "$bridge" -j ACCEPT
  for node in 1 2 3; do start "$node"; done
  on 1 swarm init --advertise-addr "$net.11" \
    --dispatcher-heartbeat "${HEARTBEAT:-1s}" >/dev/null
  token=$(on 1 swarm join-token -q worker)
  for node in 2 3; do on "$node" swarm join --token "$token" "$net.11:2377" >/dev/null; done
  for node in 1 2 3; do
    way_out "$node"
    on 1 node update --label-add dormouse.walls=1 --label-add dormouse.internet=1 "node$node" \
      >/dev/null
  done
  for image in "$@"; do
    docker save "$image" >"$top/image.tar"
    for node in 1 2 3; do on "$node" load -q <"$top/image.tar"; done
    rm "$top/image.tar"
  done
  on 1 node ls
}

down() {
  for node in 1 2 3; do power_off "$node"; done
  sleep 1
  for node in 1 2 3; do
    for mount in $(awk -v home="$top/$node/" 'index($2, home) == 1 {print $2}' /proc/mounts | sort -r); do
      umount -l "$mount" || true
    done
    ip netns del "$(space "$node")" 2>/dev/null || true
    ip link del "dmveth$node" 2>/dev/null || true
  done
  iptables -w -D FORWARD -i "$bridge" -o "$bridge" -j ACCEPT 2>/dev/null || true
  ip link del "$bridge" 2>/dev/null || true
  rm -rf "$top"
}

case ${1:-} in
  up) shift; up "$@" ;;
  cut) power_off "${2:?which node}" ;;
  start) start "${2:?which node}" ;;
  down) down ;;
  *) sed -n '2,12p' "$0"; exit 2 ;;
esac
