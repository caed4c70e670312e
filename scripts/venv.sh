#!/usr/bin/env bash
# Make .venv hold exactly what the lock file says; does nothing when it already does.
#   scripts/venv.sh        what serving needs
#   scripts/venv.sh dev    and what tests and checks need (a superset, of the same versions)
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv
case "${1:-}" in dev) lock=requirements-dev.lock ;; *) lock=requirements.lock ;; esac

die() { echo "dormouse: $*" >&2; exit 1; }
hash_of() { sha256sum "$1" | cut -d' ' -f1; }
current() { # the dev lock holds the other one
  [ -x "$venv/bin/python" ] && "$venv/bin/python" -c '' 2>/dev/null || return 1
  [ "$(cat "$venv/.requirements-dev.lock" 2>/dev/null)" = "$(hash_of requirements-dev.lock)" ] && return 0
  [ "$(cat "$venv/.$lock" 2>/dev/null)" = "$(hash_of "$lock")" ]
}
fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; }
# One that is whole in its program, rather than a library, runs all of this faster. It must
# bring what the router is compiled with, though: that makes more of a difference.
is_fast() {
  "$1" -c '
import ensurepip, sys, sysconfig, venv
open(sysconfig.get_paths()["include"] + "/Python.h").close()
sys.exit("libpython" in open("/proc/self/maps").read())' 2>/dev/null
}
find_python() {
  if [ -n "${PYTHON:-}" ]; then
    fits "$PYTHON" || die "PYTHON is $PYTHON; Python 3.11 or 3.12 is needed"
    command -v "$PYTHON"; return
  fi
  local candidates=(python3.11 python3.12 python3 /usr/bin/python3.11 /usr/bin/python3.12 /usr/bin/python3)
  for candidate in "${candidates[@]}"; do
    fits "$candidate" && is_fast "$candidate" && { command -v "$candidate"; return; }
  done
  for candidate in "${candidates[@]}"; do
    fits "$candidate" && { command -v "$candidate"; return; }
  done
  die "Python 3.11 or 3.12 is needed. On Debian 12 run: apt-get install python3 python3-venv"
}
need_ensurepip() {
  "$1" -c 'import ensurepip, venv' 2>/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing python3-venv ..."
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; } \
      >/dev/null || die "could not install python3-venv; see the lines above"
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
  fi
  die "Python's venv module is missing. Run: sudo apt-get install python3-venv"
}

current && exit 0
exec 9>.venv.lock
flock 9 # two `make` at once install once
current && exit 0

python=$(find_python)
if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
  need_ensurepip "$python"
  rm -rf "$venv"
  "$python" -m venv "$venv" || die "could not make $venv; see the lines above"
fi
total=$(grep -c '^[a-z0-9].*==' "$lock")
echo "Installing $total packages into $venv (once, about a minute) ..."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The counter is for people: one line that is rewritten on a terminal, a few lines elsewhere.
"$venv/bin/python" -m pip install --disable-pip-version-check --no-input --require-hashes \
  --progress-bar off -r "$lock" 2>&1 | tee "$log" | awk -v total="$total" -v tty="$([ -t 1 ] && echo 1)" '
    /^ *(Collecting|Requirement already satisfied)/ { n++
      if (tty) { printf "\r  %d/%d", n, total; fflush() } else if (n % 25 == 0) { print "  " n "/" total; fflush() } }
    END { if (tty) print "" }' || {
  if grep -q 'No space left' "$log"; then die "the disk is full. Free some space and run it again."; fi
  grep -E '^ERROR' "$log" >&2 || tail -n 5 "$log" >&2
  die "the packages of $lock could not be installed"
}
# What an editable install would leave behind: both source roots on the path.
printf '%s\n%s/platform\n' "$PWD" "$PWD" \
  >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/dormouse.pth"
hash_of "$lock" >"$venv/.$lock"
