#!/usr/bin/env bash
# Certificates for a demonstration or a test, by gleaner-pki: one CA, one server certificate for this machine, one certificate a device.
# They hold for 30 days, and are made anew, all together, when one is missing or has less than a week left.
#
#   docker/demo/pki.sh DIRECTORY DEVICE…
#
# leaves DIRECTORY/{ca,server,DEVICE…}.{pem,key}. A real fleet keeps its CA's key elsewhere.
set -euo pipefail
shopt -s inherit_errexit
pki=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)/cli/gleaner-pki

[ $# -ge 2 ] || {
  echo "usage: pki.sh DIRECTORY DEVICE…" >&2
  exit 2
}
directory=$1
shift
week_s=$((7 * 24 * 3600))

all_good() {
  local name
  for name in ca server "$@"; do
    [ -s "$directory/$name.key" ] || return 1
    openssl x509 -in "$directory/$name.pem" -noout -checkend "$week_s" >/dev/null 2>&1 || return 1
  done
}

all_good "$@" && exit 0

mkdir -p "$(dirname "$directory")"
fresh=$(mktemp -d "$directory.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
{
  "$pki" ca "$fresh" --days 30
  "$pki" server "$fresh" localhost 127.0.0.1 ::1 --days 30
  "$pki" device "$fresh" "$@" --days 30
} >/dev/null
rm -rf "$directory"
mv "$fresh" "$directory"
