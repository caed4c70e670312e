#!/usr/bin/env bash
# Makes the image every catalogue model starts from, out of Debian packages: no registry needed.
#
#   scripts/build_base_image.sh [IMAGE [PACKAGE...]]      default: dormouse/python:3.11
#
# Resolves against an empty package list, so exactly the closure of the wanted packages is unpacked;
# no maintainer script runs. Does nothing when the image was made from these very package versions.
# Needs root, apt, dpkg-deb and the docker command; without apt it takes python:3.11-slim instead.
set -euo pipefail

image=${1:-dormouse/python:3.11}
[ $# -eq 0 ] || shift
# libstdc++6, libgcc-s1: what compiled wheels (numpy, onnxruntime) expect of any system.
wanted=(base-files libc-bin dash coreutils python3 libstdc++6 libgcc-s1 ca-certificates "$@")
label=dormouse.base
say() { echo "base image: $*"; }

current_key() { docker image inspect -f "{{index .Config.Labels \"$label\"}}" "$image" 2>/dev/null || true; }

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  [ -n "$(current_key)" ] && { say "$image is there"; exit 0; }
  if [ $# -gt 0 ]; then say "extra packages need root on a Debian machine" >&2; exit 1; fi
  say "no apt here or not root: taking python:3.11-slim from its registry"
  printf 'FROM python:3.11-slim\nLABEL %s=slim\n' "$label" | docker build -q -t "$image" - >/dev/null
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/debs/partial" "$work/root"
: >"$work/status"
apt=(apt-get -qq -y --no-install-recommends
  -o "Dir::State::status=$work/status" -o "Dir::Cache::archives=$work/debs"
  -o Debug::NoLocking=1 -o APT::Sandbox::User=root)

# apt with an empty status file still reads the lists the machine has; fetch them if there are none.
candidate() { apt-cache policy python3 | sed -n 's/^ *Candidate: *//p'; }
case $(candidate) in "" | "(none)") say "fetching the package lists"; apt-get -qq update ;; esac

files=$("${apt[@]}" --print-uris install "${wanted[@]}" | awk '$2 ~ /\.deb$/ {print $2}' | sort)
[ -n "$files" ] || { say "apt found nothing to install" >&2; exit 1; }
key=$({ echo "$files"; cat "$0"; } | sha256sum | cut -c1-16)
if [ "$(current_key)" = "$key" ]; then say "$image is current"; exit 0; fi

say "fetching $(echo "$files" | wc -l) packages"
"${apt[@]}" --download-only install "${wanted[@]}" >/dev/null

say "unpacking"
root=$work/root
for folder in bin sbin lib lib64; do
  mkdir -p "$root/usr/$folder"
  ln -s "usr/$folder" "$root/$folder"
done
for package in "$work"/debs/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink \
    --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' \
    --exclude='./usr/share/locale/*' --exclude='./usr/share/lintian/*'
done

# What maintainer scripts would have done.
for file in passwd group; do
  source=$root/usr/share/base-passwd/$file.master
  [ -s "$source" ] || source=/usr/share/base-passwd/$file.master
  if [ -s "$source" ]; then cp "$source" "$root/etc/$file"; else : >"$root/etc/$file"; fi
done
grep -q '^root:' "$root/etc/passwd" || echo 'root:x:0:0:root:/root:/bin/sh' >>"$root/etc/passwd"
grep -q '^root:' "$root/etc/group" || echo 'root:x:0:' >>"$root/etc/group"
echo 'model:x:10001:10001::/tmp:/usr/sbin/nologin' >>"$root/etc/passwd"
echo 'model:x:10001:' >>"$root/etc/group"
mkdir -p "$root"/{proc,sys,dev,run,srv,var/tmp,etc/ssl/certs}
install -d -m 1777 "$root/tmp"
find "$root/usr/share/ca-certificates" -name '*.crt' -exec cat {} + >"$root/etc/ssl/certs/ca-certificates.crt" 2>/dev/null || true
[ -e "$root/usr/bin/sh" ] || ln -s dash "$root/usr/bin/sh"
[ -e "$root/usr/bin/python" ] || ln -s python3 "$root/usr/bin/python"
rm -rf "$root"/usr/lib/python3*/test "$root"/usr/lib/*/gconv "$root"/var/cache/apt
# Nothing in a model's container may change its user.
find "$root" -xdev -type f -perm /6000 -exec chmod a-s {} +
ldconfig -r "$root" 2>/dev/null || true
# Byte code now: the containers' file systems are read-only.
chroot "$root" /usr/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.11 >/dev/null || true

say "importing"
tar -C "$root" --numeric-owner --sort=name -c . | docker import \
  -c 'ENV PATH=/usr/local/bin:/usr/bin:/bin' \
  -c 'ENV LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1' \
  -c 'CMD ["python"]' -c "LABEL $label=$key" - "$image" >/dev/null
say "$image is ready"
