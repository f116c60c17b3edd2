#!/usr/bin/env bash
# Starts the demo in a folder of its own, and runs the page's tests in a real browser against it.
# usage: run.sh TEST.mjs…   environment: GLEANER_BIN (the programs), GLEANER_SCREENSHOTS (optional)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
state=$(mktemp -d)
demo=
cleanup() {
  local status=$?
  [ -z "$demo" ] || { kill -TERM "$demo" && wait "$demo"; } 2>/dev/null || true
  if [ $status -ne 0 ]; then tail -n 20 "$state"/demo.log "$state"/demo/log/*.log || true; fi
  rm -rf "$state"
}
trap cleanup EXIT

: >"$state/demo.log"
"$root/docker/demo/demo.sh" --clips-only --state "$state/demo" </dev/null >"$state/demo.log" 2>&1 &
demo=$!
# However long it takes on a busy machine: the demo gives up by itself, and ends.
url=
while [ -z "$url" ]; do
  kill -0 "$demo" || exit 1
  url=$(sed -n 's/^ *the page *\(http[^ ]*\).*/\1/p' "$state/demo.log")
  sleep 0.2
done
# The tests want three devices with a checked clip each.
while [ "$(curl -fsS -H 'Content-Type: application/json' -d '{"filter":"media:ok"}' "$url/gleaner.v1.CatalogService/ListClips" |
  jq '[.clips[]?.device] | unique | length')" -lt 3 ]; do
  kill -0 "$demo" || exit 1
  sleep 0.2
done
GLEANER_URL=$url node --test "$@"
