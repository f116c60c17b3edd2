#!/usr/bin/env bash
# Makes what tests/upgrade keeps of one version of Gleaner: a server's data folder and a device's
# spool, as that version left them, and what it said of them.
#
#   tests/upgrade/make.sh COMMIT
#
# builds COMMIT apart from this tree and leaves data/COMMIT/{cloud,spool}.tar.gz and expected.json
# beside this script. What happens to the data: cart-1 sends its clips and has some numbers
# suppressed; a ledger with gaps is written in by hand; gate-1 fills its spool while there is no
# server, begins to send, and the server is killed when the first clip has come whole and isn't
# committed; then gate-1 is killed. Needs what ./dev setup installs, and curl, jq and sqlite3.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=${here%/tests/upgrade}

[ $# -eq 1 ] || {
  echo "usage: tests/upgrade/make.sh COMMIT" >&2
  exit 2
}
commit=$(git -C "$root" rev-parse --short=7 "$1^{commit}")
for tool in curl ffmpeg jq sqlite3; do
  command -v "$tool" >/dev/null || {
    echo "make.sh: $tool is missing" >&2
    exit 1
  }
done

work=$(mktemp -d "${TMPDIR:-/tmp}/gleaner-upgrade.XXXXXX")
pids=()
on_exit() {
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  [ "${KEEP:-}" = 1 ] || rm -rf "$work"
}
trap on_exit EXIT

mkdir "$work/src"
git -C "$root" archive "$commit" | tar -x -C "$work/src"
cmake -S "$work/src" --preset dev -DGLEANER_TESTS=OFF >"$work/build.log"
cmake --build "$work/src/build/dev" --target gleaner-edge gleaner-cloud gleaner-media >>"$work/build.log"
bin=$work/src/build/dev/bin
"$work/src/docker/demo/pki.sh" "$work/tls" cart-1 gate-1

# A white box moves over grey for a second, three times, with rest between: three clips.
ffmpeg -v error -f lavfi -i "color=gray:s=64x48:r=10:d=12" -f lavfi -i "color=white:s=24x24:r=10:d=12" \
  -filter_complex "[0][1]overlay=x='mod(t*40,40)':y=12:enable='lt(mod(t,4)-2,1)*gt(mod(t,4),2)'" \
  -c:v libx264 -preset veryfast -crf 35 -g 10 -bf 0 -pix_fmt yuv420p -y "$work/box.mp4"

grpc=17443
http=18080
server() { # server POLICY [VARIABLE=VALUE…]
  cat >"$work/cloud.toml" <<TOML
[server]
data_dir = "cloud"
[grpc]
listen = "127.0.0.1:$grpc"
[tls]
ca = "tls/ca.pem"
certificate = "tls/server.pem"
key = "tls/server.key"
[http]
listen = "127.0.0.1:$http"
[ingest]
free_floor = "0"
[policy]
heartbeat_interval_s = 1
$1
TOML
  env "${@:2}" "$bin/gleaner-cloud" --config "$work/cloud.toml" 2>>"$work/cloud.log" &
  cloud=$!
  pids+=("$cloud")
}
ready() {
  until curl -sf "http://127.0.0.1:$http/readyz" >/dev/null; do
    kill -0 "$cloud" 2>/dev/null || {
      cat "$work/cloud.log" >&2
      exit 1
    }
    sleep 0.1
  done
}
device() { # device NAME [ARGUMENT…]
  cat >"$work/$1.toml" <<TOML
site = "store-7"
[spool]
directory = "$1"
quota = "16 MiB"
[server]
address = "127.0.0.1:$grpc"
ca = "tls/ca.pem"
certificate = "tls/$1.pem"
key = "tls/$1.key"
[[camera]]
name = "front"
url = "$work/box.mp4"
pace = "fast"
[[rule]]
name = "box"
when = "motion > 0.02"
pre = "500ms"
post = "500ms"
cooldown = "1s"
max_clip = "5s"
TOML
  "$bin/gleaner-edge" --config "$work/$1.toml" "${@:2}" 2>>"$work/$1.log" &
  edge=$!
  pids+=("$edge")
}
ask() { curl -sf -H 'Content-Type: application/json' -d "$2" "http://127.0.0.1:$http/gleaner.v1.CatalogService/$1"; }
until_true() { # until_true COMMAND…
  local i
  for ((i = 0; i < 600; ++i)); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "make.sh: this never came true: $*" >&2
  exit 1
}
checked() { ask GetSummary '{}' | jq -e '(.clips | tonumber) > 0 and .clips == .mediaOk'; }

cd "$work"
server ""
ready
device cart-1 --until-drained
wait "$edge"
until_true checked
kill -TERM "$cloud"
wait "$cloud" || true

server "capture_paused = true"
ready
device cart-1 --until-drained
wait "$edge"
kill -TERM "$cloud"
wait "$cloud" || true

# Two boots of a device that lost its ledger.
sqlite3 cloud/catalog.db "
  INSERT INTO boot (device, boot_id, last_sequence) VALUES
    ('cart-1', '00000000000000000000000000000001', 10), ('cart-1', '00000000000000000000000000000002', 5);
  INSERT INTO settled (device, boot_id, first, last) VALUES
    ('cart-1', '00000000000000000000000000000001', 3, 4), ('cart-1', '00000000000000000000000000000001', 7, 7);
  INSERT INTO gap (device, boot_id, first, last) VALUES
    ('cart-1', '00000000000000000000000000000001', 1, 2), ('cart-1', '00000000000000000000000000000001', 5, 6),
    ('cart-1', '00000000000000000000000000000001', 8, 10), ('cart-1', '00000000000000000000000000000002', 1, 5);
  UPDATE tally SET clips = clips + 15 WHERE dimension = 'fired' AND value = 'cart-1';
  UPDATE tally SET clips = clips + 3 WHERE dimension = 'failed' AND value = 'cart-1';
  INSERT INTO tally (dimension, value, clips, bytes) VALUES ('failed', 'cart-1', 3, 0) ON CONFLICT DO NOTHING;"

server ""
ready
until_true checked
ask ListDevices '{}' >devices.json
ask ListClips '{}' >clips.json
ask GetSummary '{}' >summary.json
kill -TERM "$cloud"
wait "$cloud" || true

device gate-1
status() { "$bin/gleaner-edge" --config "$work/gate-1.toml" status --json; }
waiting() { status | jq -e '.pending_clips == 3 and .capturing == 0'; }
until_true waiting
server "" GLEANER_CRASH_AT=ingest.all_synced:1
wait "$cloud" || true
kill -KILL "$edge"
wait "$edge" || true
status >spool.json

out=$here/data/$commit
mkdir -p "$out"
pack() { tar --sparse --sort=name --owner=0 --group=0 --numeric-owner -C "$work" -c "$2" | gzip -9n >"$out/$1.tar.gz"; }
rm -f cloud/lock
pack cloud cloud
pack spool gate-1
jq -n --slurpfile devices devices.json --slurpfile clips clips.json --slurpfile summary summary.json \
  --slurpfile spool spool.json --arg schema "$(sqlite3 cloud/catalog.db 'SELECT version FROM schema_version')" '
  { schema: ($schema | tonumber), clips: [$clips[0].clips[] | .id] | sort,
    bytes: ($summary[0].bytes | tonumber), ledger: ($devices[0].devices[] | select(.name == "cart-1") | .ledger),
    spool: ($spool[0] | {pending_clips, pending_bytes, last_sequence, boot_id}) }' >"$out/expected.json"
ls -l "$out" >&2
