#!/usr/bin/env bash
# A private certificate authority for a demonstration or a test: one CA, one server certificate for
# this machine, one certificate a device whose common name is the device's name. EC P-256, 30 days.
# Made anew, all together, when one is missing or has less than a week left.
#
#   docker/demo/pki.sh DIRECTORY DEVICE…
#
# leaves DIRECTORY/{ca,server,DEVICE…}.{pem,key}. A real fleet keeps its CA's key elsewhere.
set -euo pipefail
shopt -s inherit_errexit
umask 077

[ $# -ge 2 ] || {
  echo "usage: pki.sh DIRECTORY DEVICE…" >&2
  exit 2
}
directory=$1
shift
days=30
week_s=$((7 * 24 * 3600))

all_good() {
  local name
  for name in ca server "$@"; do
    [ -s "$directory/$name.key" ] || return 1
    openssl x509 -in "$directory/$name.pem" -noout -checkend "$week_s" >/dev/null 2>&1 || return 1
  done
}

new_key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

# sign NAME COMMON_NAME EXTENSIONS
sign() {
  new_key "$1.key"
  openssl req -new -key "$1.key" -subj "/O=Gleaner demo/CN=$2" -config empty.cnf -out "$1.csr"
  printf '%s\n' "$3" basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
    subjectKeyIdentifier=hash authorityKeyIdentifier=keyid >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -days "$days" -sha256 \
    -extfile "$1.ext" -out "$1.pem" 2>/dev/null
  rm "$1.csr" "$1.ext"
}

all_good "$@" && exit 0

mkdir -p "$(dirname "$directory")"
fresh=$(mktemp -d "$directory.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
(
  cd "$fresh"
  printf '[req]\ndistinguished_name = dn\n[dn]\n[ca]\n%s\n%s\n%s\n' \
    basicConstraints=critical,CA:TRUE,pathlen:0 keyUsage=critical,keyCertSign,cRLSign \
    subjectKeyIdentifier=hash >empty.cnf
  new_key ca.key
  openssl req -x509 -new -key ca.key -days "$days" -sha256 -subj "/O=Gleaner demo/CN=Gleaner demo CA" \
    -config empty.cnf -extensions ca -out ca.pem
  sign server localhost \
    "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1
extendedKeyUsage=serverAuth"
  for device in "$@"; do
    sign "$device" "$device" "subjectAltName=DNS:$device
extendedKeyUsage=clientAuth"
  done
  rm empty.cnf
)
rm -rf "$directory"
mv "$fresh" "$directory"
