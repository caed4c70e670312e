#!/usr/bin/env bash
# A way out for models whose owners let them reach the internet, on one node of a cluster: a second
# bridge, without traffic between containers, that leads to the internet and nowhere else. Private
# ranges, the metadata address, this machine and the other models stay out of reach; name servers of
# this machine answer. Run it as root on each node after scripts/node_walls.sh, managers first, and
# after each restart of the machine; running it again changes nothing. Name whatever else is yours
# and has a public address, the other nodes first of all:
#   scripts/node_internet.sh [ADDRESS[/BITS]...]
# Then tell the cluster, on a manager:
#   docker node update --label-add dormouse.internet=1 NODE
set -euo pipefail
bridge=dm-internet
network=dormouse-internet
resolvers=${RESOLV_CONF:-/etc/resolv.conf}
# As in hosting/runtimes/wall.py.
closed=(0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
  192.168.0.0/16 198.18.0.0/15 224.0.0.0/4 240.0.0.0/4 "$@")

# On top, whether it was there or not: what allows must stand above what forbids.
set_it() {
  while iptables -w 5 -D "$@" 2>/dev/null; do :; done
  iptables -w 5 -I "$@"
}

# Answers go to the router, which is on a private address, too: only what begins is dropped.
begins=(-m conntrack ! --ctstate ESTABLISHED,RELATED)
set_it INPUT -i "$bridge" "${begins[@]}" -j DROP
for range in "${closed[@]}"; do
  set_it DOCKER-USER -i "$bridge" -d "$range" "${begins[@]}" -j DROP
done
while read -r word address _; do
  [ "$word" = nameserver ] || continue
  case $address in 127.* | *:*) continue ;; esac
  for way in udp tcp; do
    set_it DOCKER-USER -i "$bridge" -d "$address" -p "$way" --dport 53 -j RETURN
  done
done <"$resolvers"

# What the cluster's network is on this node; the network itself is made once, on a manager.
docker network inspect "$network-here" >/dev/null 2>&1 || docker network create --config-only \
  --opt com.docker.network.bridge.name="$bridge" \
  --opt com.docker.network.bridge.enable_icc=false "$network-here" >/dev/null
if [ "$(docker info --format '{{.Swarm.ControlAvailable}}')" = true ]; then
  docker network inspect "$network" >/dev/null 2>&1 || docker network create \
    --driver bridge --scope swarm --config-from "$network-here" "$network" >/dev/null
fi
echo "Models on $bridge reach the internet, and nothing else."
