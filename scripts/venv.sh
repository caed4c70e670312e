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
brings_pip() { "$1" -c 'import ensurepip' 2>/dev/null; }
install_ensurepip() { # Debian has it in a package of its own
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
  echo "Installing python3-venv ..."
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; } >/dev/null || true
}
# Who may not install packages gets pip from where the others will come from, by its hash.
pip_url=https://files.pythonhosted.org/packages/07/25/ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/pip-26.3-py3-none-any.whl
pip_hash=f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13
fetch_pip() {
  local wheel="$venv/${pip_url##*/}"
  "$venv/bin/python" -c '
import hashlib, sys, urllib.request
url, wanted, path = sys.argv[1:]
wheel = urllib.request.urlopen(url, timeout=60).read()
if hashlib.sha256(wheel).hexdigest() != wanted:
    sys.exit(f"{url} is not the file that was expected")
open(path, "wb").write(wheel)' "$pip_url" "$pip_hash" "$wheel" 2>&1 | tail -n 1 >&2 &&
    "$venv/bin/python" "$wheel/pip" install -q --no-index --no-warn-script-location "$wheel"
}
make_venv() {
  rm -rf "$venv"
  brings_pip "$1" || install_ensurepip
  if brings_pip "$1"; then
    "$1" -m venv "$venv" || die "could not make $venv; see the lines above"
  elif ! { "$1" -m venv --without-pip "$venv" && fetch_pip; }; then
    die "this Python lacks pip, and it could not be fetched. Run: sudo apt-get install python3-venv"
  fi
}

current && exit 0
exec 9>.venv.lock
flock 9 # two `make` at once install once
current && exit 0

python=$(find_python)
"$venv/bin/python" -c 'import pip' 2>/dev/null || make_venv "$python"
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
