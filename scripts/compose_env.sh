#!/usr/bin/env bash
# Write the secrets and the socket's group for compose.yaml into FILE, once. What it holds already stays.
#   scripts/compose_env.sh [FILE [NAME=VALUE...]]      default: var/compose.env
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:-var/compose.env}
[ $# -eq 0 ] || shift
secret() { head -c 36 /dev/urandom | base64 | tr -d '+/=\n'; }
put() { grep -q "^$1=" "$file" || echo "$1=$2" >>"$file"; }

mkdir -p "$(dirname "$file")"
(umask 077 && touch "$file")
put DORMOUSE_SECRET_KEY "$(secret)"
put DORMOUSE_SECRETS_KEYS "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
put POSTGRES_PASSWORD "$(secret)"
put REDIS_PASSWORD "$(secret)"
put DORMOUSE_DOCKER_GID "$(stat -c %g /var/run/docker.sock)"
for pair in "$@"; do put "${pair%%=*}" "${pair#*=}"; done
