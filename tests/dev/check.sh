# For the scripts beside it: where things are, a scratch folder, and checks that say what they saw.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
shopt -s inherit_errexit
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# run COMMAND…: leaves its exit status in $status, its outputs in $out and $err.
run() {
  status=0
  "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
  out=$(<"$scratch/out")
  err=$(<"$scratch/err")
}

expect() { # expect WHAT WANTED SEEN
  [ "$2" = "$3" ] || fail "$1: wanted '$2', saw '$3'
--- stdout
${out:-}
--- stderr
${err:-}"
}

expect_in() { # expect_in TEXT WANTED
  grep -qF -- "$2" <<<"$1" || fail "wanted '$2' in:
$1"
}

# stub NAME SCRIPT: a program that stands before the real one on the PATH of `run stubbed …`.
stub() {
  mkdir -p "$scratch/stubs"
  printf '#!/usr/bin/env bash\n%s\n' "$2" >"$scratch/stubs/$1"
  chmod +x "$scratch/stubs/$1"
}
stubbed() { PATH=$scratch/stubs:$PATH SCRATCH=$scratch "$@"; }
