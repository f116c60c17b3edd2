#!/usr/bin/env bash
# Installs the Debian packages that the named lists in third_party/packages/ ask for and that are
# not there yet. Costs one dpkg-query, and nothing else, when nothing is missing.
#
#   third_party/setup.sh common edge cloud
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
footage=/usr/share/doc/opencv-doc/opencv4/html/box.mp4.gz

die() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# Node.js may come from elsewhere than Debian; one that is new enough stays as it is.
have_node() {
  local version
  command -v npm >/dev/null && version=$(node --version 2>/dev/null) || return 1
  version=${version#v}
  [ "${version%%.*}" -ge 18 ]
}

# The packages of the lists that are missing, one a line.
missing() {
  local wanted installed
  wanted=$(for list in "$@"; do
    [ -f "$here/packages/$list.txt" ] || die "there is no package list '$list' (there are: $(lists))"
    sed 's/#.*//' "$here/packages/$list.txt"
  done | tr -d ' \t' | sed '/^$/d' | sort -u)
  if have_node; then
    wanted=$(grep -vxE 'nodejs|npm' <<<"$wanted" || true)
  fi
  # dpkg-query fails when it doesn't know some package; those are what is asked for.
  # shellcheck disable=SC2086
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
    sed -n 's/ installed$//p' | sort -u) || true
  comm -23 <(echo "$wanted") <(echo "$installed")
  # Slim container images throw documentation away, and the footage with it.
  if grep -qx opencv-doc <<<"$installed" && [ ! -e "$footage" ]; then
    echo opencv-doc
  fi
}

lists() {
  (cd "$here/packages" && printf '%s ' *.txt | sed 's/\.txt//g; s/ $//')
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# Debian starts a service when its package is installed. Here motion, nginx and prometheus are only
# programs for tests, so until the installation ends a policy says no, and they stay disabled.
policy=/usr/sbin/policy-rc.d
services_wait() {
  [ -e "$policy" ] && return
  printf '#!/bin/sh\n# Put here by third_party/setup.sh while it installs.\nexit 101\n' |
    as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  trap 'as_root rm -f "$policy"' EXIT
}

services_off() {
  local name
  [ -d /run/systemd/system ] || return 0
  for name in motion nginx-light:nginx prometheus; do
    if grep -qx "${name%:*}" <<<"$1"; then
      as_root systemctl disable --quiet "${name#*:}.service" || true
    fi
  done
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  die "needs apt-get and dpkg-query: Gleaner builds on Debian 12"
fi

wanted_lists=("$@")
packages=$(missing "${wanted_lists[@]}")
[ -n "$packages" ] || exit 0
# shellcheck disable=SC2086
set -- $packages

if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
  die "$# packages are missing and there is no sudo. As root, run:
  apt-get update && apt-get install --no-install-recommends $*"
fi
# shellcheck disable=SC1091
if [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" != bookworm ]; then
  echo "setup: this is not Debian 12 (bookworm); package names may differ" >&2
fi

echo "Installing $# Debian packages: $*" >&2
apt=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
install=(install --no-install-recommends
  -o "Dpkg::Options::=--path-include=/usr/share/doc/opencv-doc/*")
# A package that is there without its files comes only by installing it again.
[ -d /usr/share/doc/opencv-doc ] && install+=(--reinstall)
{
  services_wait
  as_root "${apt[@]}" update
  as_root "${apt[@]}" "${install[@]}" "$@"
  services_off "$packages"
} </dev/null >&2

still=$(missing "${wanted_lists[@]}")
[ -z "$still" ] || die "still missing after the installation: $still"
