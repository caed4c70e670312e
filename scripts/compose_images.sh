#!/usr/bin/env bash
# Makes every image of compose.yaml on a Debian machine without a registry and without an index:
# bases from Debian packages, Python packages from wheels that the host downloads.
# Prints the variables that make compose.yaml use them; the last lines of its output, NAME=value.
set -euo pipefail
cd "$(dirname "$0")/.."

build() { # image, Dockerfile, base, folder, more arguments
  echo "Building $1 ..." >&2
  DOCKER_BUILDKIT=0 docker build -q -t "$1" -f "$2" --build-arg "BASE=$3" "${@:5}" "$4" >/dev/null 2>&1 ||
    DOCKER_BUILDKIT=0 docker build -t "$1" -f "$2" --build-arg "BASE=$3" "${@:5}" "$4" >&2
}
scripts/build_base_image.sh dormouse/python:3.11 >&2
scripts/build_base_image.sh dormouse/walls:1 iptables >&2 # sets the rule that keeps models off the host
scripts/build_base_image.sh dormouse/base-app:debian python3-pip tzdata >&2
scripts/build_base_image.sh dormouse/base-postgres:debian postgresql postgresql-contrib sed grep >&2
scripts/build_base_image.sh dormouse/base-redis:debian redis-server redis-tools >&2
build dormouse/postgres:debian scripts/compose/postgres.Dockerfile dormouse/base-postgres:debian scripts/compose
build dormouse/redis:debian scripts/compose/redis.Dockerfile dormouse/base-redis:debian scripts/compose

scripts/venv.sh >&2
if [ "$(cat build/wheels/.lock 2>/dev/null)" != "$(sha256sum <requirements.lock)" ]; then
  echo "Fetching wheels ..." >&2
  rm -rf build/wheels
  .venv/bin/python -m pip download -q --require-hashes --no-deps --only-binary :all: \
    -r requirements.lock -d build/wheels >&2
  sha256sum <requirements.lock >build/wheels/.lock
fi
build dormouse/dormouse Dockerfile dormouse/base-app:debian . --build-arg PIP_OPTIONS=--no-index

echo DORMOUSE_IMAGE=dormouse/dormouse
echo DORMOUSE_POSTGRES_IMAGE=dormouse/postgres:debian
echo DORMOUSE_REDIS_IMAGE=dormouse/redis:debian
