#!/usr/bin/env bash
# The demo's own work: certificates, and programs started, watched and stopped. The programs are
# stand-ins here; footage_demo.sh runs the real ones.
# shellcheck disable=SC2016 # stand-ins are programs of their own
# shellcheck source=tests/dev/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"
state="$scratch/state"
bin=$scratch/bin

program() {
  mkdir -p "$bin"
  printf '%s\n' "$2" >"$bin/$1"
  chmod +x "$bin/$1"
}

# A server that has two more clips each time it is asked, and devices that only wait.
programs() {
  program gleaner-cloud '#!/usr/bin/env node
const port = Number(/\[http\]\nlisten = "127.0.0.1:(\d+)"/.exec(require("fs").readFileSync(process.argv[3], "utf8"))[1]);
let clips = 0;
require("http").createServer((request, response) => {
  if (request.url === "/readyz") return response.end("ok\n");
  clips += 2;
  response.end(JSON.stringify({ devices: 3, clips: `${clips}`, mediaOk: `${clips}`, bytes: `${clips * 1000}`,
    mediaFailed: process.env.MEDIA_FAILED, deviceFacet: [{}, {}, {}] }));
}).listen(port, "127.0.0.1");'
  program gleaner-edge "#!/bin/sh
echo \$\$ >>$scratch/devices
exec sleep 300"
  program gleaner '#!/bin/sh'
  program gleaner-media '#!/bin/sh'
}

demo() { GLEANER_BIN=$bin "$root/docker/demo/demo.sh" --clips-only --state "$state" "$@"; }

# Whose parent is gone may stay a zombie until init looks; it runs no more.
runs() { grep -q '^State:' "/proc/$1/status" 2>/dev/null && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }

expect_no_device_left() {
  local pid
  while read -r pid; do
    if runs "$pid"; then fail "device $pid still runs"; fi
  done <"$scratch/devices"
  expect "devices started" 3 "$(wc -l <"$scratch/devices")"
}

test_once_ends_with_one_json_object_and_leaves_nothing_behind() {
  programs
  run demo --once
  expect "exit status" 0 "$status"
  expect "stdout" '{"devices":3,"clips":6,"bytes":6000,"ledger_gaps":0}' "$(jq -c 'del(.seconds)' <<<"$out")"
  expect "files left" '' "$(ls "$state")"
  expect_no_device_left
}

test_once_fails_when_a_clip_fails_its_check() {
  programs
  MEDIA_FAILED=1 run demo --once
  expect "exit status" 1 "$status"
  expect_in "$err" '1 clip failed the check'
}

test_once_fails_in_time_with_the_reason() {
  programs
  program gleaner-cloud "$(sed 's/clips += 2/clips = 1/' "$bin/gleaner-cloud")"
  GLEANER_DEMO_TIMEOUT_S=6 run demo --once
  expect "exit status" 1 "$status"
  expect_in "$err" 'after 6 s: 1 clip from 3 devices'
  expect "stdout" '' "$out"
  expect_no_device_left
}

test_a_program_that_ends_is_named_with_its_last_words() {
  programs
  program gleaner-edge '#!/bin/sh
case $2 in *cart-2*) echo "no such camera"; exit 7 ;; esac
exec sleep 300'
  run demo --once
  expect "exit status" 1 "$status"
  expect_in "$err" 'cart-2 has ended by itself, with 7'
  expect_in "$err" 'no such camera'
}

test_it_stops_everything_when_it_is_told_to_or_killed() {
  local signal pid
  for signal in TERM KILL; do
    programs
    rm -f "$scratch/devices"
    GLEANER_BIN=$bin "$root/docker/demo/demo.sh" --clips-only --state "$state" >"$scratch/out" 2>&1 </dev/null &
    until [ -e "$scratch/devices" ] && [ "$(wc -l <"$scratch/devices")" = 3 ]; do sleep 0.05; done
    kill "-$signal" $!
    wait $! 2>/dev/null || true
    while read -r pid; do
      for _ in $(seq 100); do if runs "$pid"; then sleep 0.05; fi; done
      if runs "$pid"; then fail "device $pid survived $signal"; fi
    done <"$scratch/devices"
  done
}

test_one_state_folder_serves_one_demo() {
  programs
  mkdir -p "$state"
  exec 8>"$state/lock"
  flock 8
  run demo
  expect "exit status" 1 "$status"
  expect_in "$err" 'another demo runs in'
}

test_a_missing_program_is_named() {
  programs
  rm "$bin/gleaner-media"
  run demo --once
  expect_in "$err" 'gleaner-media is missing; ./dev build makes it'
}

test_a_missing_model_worker_is_named_where_there_is_to_be_a_model() {
  programs
  GLEANER_BIN=$bin run "$root/docker/demo/demo.sh" --once --state "$state"
  expect "exit status" 1 "$status"
  expect_in "$err" 'gleaner-model is missing; ./dev build makes it'
}

# --- the reviewer -------------------------------------------------------------------------------

# reviewer PYTHON: with the reviewer's own functions at hand.
reviewer() { PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$root/docker/demo run python3 -c "from reviewer import *
$1"; }

test_the_reviewer_keeps_what_was_drawn_well_and_puts_the_rest_right() {
  reviewer '
box, moved, arm = ("box", 0.2, 0.2, 0.4, 0.4), ("box", 0.21, 0.2, 0.4, 0.4), ("person", 0, 0, 0.5, 0.5)
print(corrected([moved], [box]) == ([moved], True), corrected([moved, arm], [box]) == ([moved], False),
      corrected([arm], [box]) == ([box], False), corrected([arm], []) == ([], False), corrected([], []) == ([], True))'
  expect "what it makes of them" 'True True True True True' "$out"
}

test_the_reviewer_moves_boxes_evenly_between_two_moments_that_it_knows() {
  reviewer '
one, other = [("box", 0.25, 0.5, 0.25, 0.25)], [("box", 0.5, 0.5, 0.25, 0.25)]
print(between(one, other, 0.5), between(one, [], 0.5), between(one, [("bottle", 0.25, 0.5, 0.25, 0.25)], 0.5))'
  expect "boxes" "[('box', 0.375, 0.5, 0.25, 0.25)] None None" "$out"
}

test_what_the_reviewer_takes_for_the_truth_is_boxes_within_the_picture_of_the_films_there_are() {
  run jq -r '.films[].film' "$root/docker/demo/truth.json"
  expect "films" "$(grep -oE '^take "\$1/[a-z.0-9-]+' "$root/docker/demo/footage.sh" | sed 's|.*/||')" "$out"
  run jq '[.films[].moments[] | select(. != null) | .[] |
    select((.[0] | IN("box", "bottle", "person")) and .[1] >= 0 and .[2] >= 0 and .[3] > 0 and .[4] > 0 and
      .[1] + .[3] <= 1.0005 and .[2] + .[4] <= 1.0005 | not)]' "$root/docker/demo/truth.json"
  expect "boxes that can't be" '[]' "$out"
}

# --- certificates -------------------------------------------------------------------------------

pki() { "$root/docker/demo/pki.sh" "$scratch/tls" "$@"; }

test_certificates_stay_until_their_last_week() {
  local serial
  pki cart-1
  serial=$(openssl x509 -in "$scratch/tls/cart-1.pem" -noout -serial)
  pki cart-1
  expect "serial" "$serial" "$(openssl x509 -in "$scratch/tls/cart-1.pem" -noout -serial)"
  openssl req -x509 -key "$scratch/tls/server.key" -subj /CN=localhost -days 6 \
    -out "$scratch/tls/server.pem" 2>/dev/null
  pki cart-1
  openssl verify -CAfile "$scratch/tls/ca.pem" "$scratch/tls/server.pem" "$scratch/tls/cart-1.pem" >/dev/null
}

"$1"
