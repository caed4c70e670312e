#!/usr/bin/env bash
# A working Docker engine on a bare Debian machine, or a clear failure. Run it as root, any number
# of times: an engine that answers is left as it is. Needs no init system.
#   ENGINE_LOG=/var/log/dormouse-engine.log   ENGINE_START_SECONDS=60
set -euo pipefail
socket=/var/run/docker.sock
log=${ENGINE_LOG:-/var/log/dormouse-engine.log}
limit=${ENGINE_START_SECONDS:-60}

answers() { # asks the engine itself, so that no client has to be installed
  python3 - "$socket" 2>/dev/null <<'PY'
import socket, sys
with socket.socket(socket.AF_UNIX) as engine:
    engine.settimeout(3)
    engine.connect(sys.argv[1])
    engine.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
    sys.exit(b" 200 " not in engine.recv(64))
PY
}
die() { echo "start_engine: $*" >&2; exit 1; }

answers && { echo "The Docker engine answers."; exit 0; }
[ "$(id -u)" = 0 ] || die "starting a Docker engine needs root. Run: sudo $0"

if ! command -v dockerd >/dev/null; then
  command -v apt-get >/dev/null || die "dockerd is not installed, and there is no apt-get to install it"
  echo "Installing docker.io ..."
  # The package starts a service, which fails where there is no init system: forbid it meanwhile.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends docker.io iptables ca-certificates >/dev/null
fi

exec 9>/run/dormouse-engine.lock
flock -w "$limit" 9 # of two starters the second finds the first one's engine
answers && { echo "The Docker engine answers."; exit 0; }

# A pid file left by kill -9 may hold a number that is a zombie's or someone else's by now.
forget_dead() { # pid file, name of the program
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] && ! grep -q '^State:.*Z' "/proc/$pid/status"; then
    return 1
  fi
  rm -f "$1"
}
forget_dead /var/run/docker.pid dockerd || die "dockerd runs but does not answer on $socket"
forget_dead /var/run/docker/containerd/containerd.pid containerd || true
rm -f "$socket"

# A bare virtual machine may come without cgroup mounts; version 2 needs none.
if [ ! -e /sys/fs/cgroup/cgroup.controllers ] && ! mountpoint -q /sys/fs/cgroup/memory; then
  mountpoint -q /sys/fs/cgroup || mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  for controller in $(awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups); do
    mkdir -p "/sys/fs/cgroup/$controller"
    mountpoint -q "/sys/fs/cgroup/$controller" ||
      mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller" || true
  done
fi

setsid nohup dockerd >>"$log" 2>&1 </dev/null 9>&- &
engine=$!
for ((waited = 0; waited < limit * 10; waited++)); do
  answers && { echo "The Docker engine answers (process $engine, log $log)."; exit 0; }
  kill -0 "$engine" 2>/dev/null || break
  sleep 0.1
done
tail -n 20 "$log" >&2
die "the engine did not start; the lines above are the end of $log"
