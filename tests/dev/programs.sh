#!/usr/bin/env bash
# The real programs, as a stranger meets them.
# shellcheck source=tests/dev/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"
bin=${GLEANER_BIN:-$root/build/dev/bin}

test_the_demo_brings_clips_of_three_devices_without_a_gap() {
  run "$root/docker/demo/demo.sh" --once --state "$scratch/state"
  expect "exit status" 0 "$status"
  jq -e '.devices == 3 and .clips >= 6 and .bytes > 0 and .ledger_gaps == 0 and .seconds > 0' \
    <<<"$(tail -n 1 <<<"$out")" >/dev/null || fail "the last line is: $out"
}

# check_config PROGRAM FILE: with certificates that exist.
check_config() {
  [ -d "$scratch/tls" ] || "$root/docker/demo/pki.sh" "$scratch/tls" device
  sed -e "s|/etc/gleaner/tls/|$scratch/tls/|; s|/etc/gleaner/|$scratch/tls/|" "$2" >"$scratch/config.toml"
  run "$bin/$1" --config "$scratch/config.toml" --check-config
  expect "exit status of $1 with ${2#"$root"/}" 0 "$status"
}

test_the_example_configurations_are_right() {
  check_config gleaner-edge "$root/docker/gleaner-edge.toml"
  check_config gleaner-cloud "$root/docker/gleaner-cloud.toml"
  # What stands commented out is right as well, but for what only a plaintext link may have.
  sed -E 's/^# ([a-z_]+ = )/\1/; /^(device|plaintext) = /d' "$root/docker/gleaner-edge.toml" >"$scratch/all.toml"
  check_config gleaner-edge "$scratch/all.toml"
}

test_the_readme_configurations_are_right() {
  # shellcheck disable=SC2016
  sed -n '/^```toml/,/^```$/p' "$root/README.md" | sed '/^```$/d' |
    awk -v to="$scratch/readme-" '/^```toml/ { ++n; next } { print > (to n ".toml") }'
  expect_in "$(<"$scratch/readme-1.toml")" 'gleaner-edge'
  check_config gleaner-edge "$scratch/readme-1.toml"
  check_config gleaner-cloud "$scratch/readme-2.toml"
}

test_every_program_explains_itself_and_says_its_version() {
  local program version
  version=$(<"$bin/../version.txt")
  expect_in "$version" "$(sed -n 's/^project(gleaner VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")"
  for program in gleaner-edge gleaner-cloud gleaner; do
    run "$bin/$program" --help
    expect "exit status of $program --help" 0 "$status"
    expect_in "$out" "--version"
  done
  for program in gleaner-edge gleaner-cloud gleaner gleaner-media; do
    run "$bin/$program" --version
    expect "$program --version" "$version" "$out"
  done
}

"$1"
