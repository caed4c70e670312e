#!/usr/bin/env bash
# Walls around the models of one node of a cluster: whatever comes out of Docker's default bridge
# may answer, and begin nothing: no other model, no service of this machine, no network beyond.
# Run it as root on each node, after Docker has started and after each restart of the machine;
# running it again changes nothing. Then tell the cluster, on a manager:
#   docker node update --label-add dormouse.walls=1 NODE
# Docker itself needs "icc": false and "userland-proxy": false in /etc/docker/daemon.json.
set -euo pipefail
bridge=${1:-docker0}
for chain in DOCKER-USER INPUT; do
  rule=(-i "$bridge" -m conntrack --ctstate NEW -j DROP)
  iptables -w 5 -C "$chain" "${rule[@]}" 2>/dev/null || iptables -w 5 -I "$chain" "${rule[@]}"
done
echo "Models on $bridge can begin no connection."
