#!/usr/bin/env bash
# The demo as a stranger runs it: the real programs on real footage.
# shellcheck source=tests/dev/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"

test_brings_clips_of_three_devices_without_a_gap() {
  run "$root/docker/demo/demo.sh" --once --state "$scratch/state"
  expect "exit status" 0 "$status"
  jq -e '.devices == 3 and .clips >= 6 and .bytes > 0 and .ledger_gaps == 0 and .seconds > 0' \
    <<<"$(tail -n 1 <<<"$out")" >/dev/null || fail "the last line is: $out"
}

"$1"
