#!/usr/bin/env bash
# ./dev and third_party/setup.sh.
# shellcheck disable=SC2016 # stand-ins are programs of their own
# shellcheck source=tests/dev/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"

commands=(setup build demo test bench fuzz lint package image)

test_help_names_every_command_and_each_explains_itself() {
  local command
  run "$root/dev"
  expect "exit status" 0 "$status"
  for command in "${commands[@]}"; do
    expect_in "$out" "  $command "
    run "$root/dev" "$command" --help
    expect "exit status of $command --help" 0 "$status"
    expect_in "$out" "./dev $command"
    run "$root/dev"
  done
}

test_a_mistyped_command_or_option_is_answered_with_what_there_is() {
  local command
  run "$root/dev" tets
  expect "exit status" 2 "$status"
  expect_in "$err" "no command 'tets'"
  expect_in "$err" "  test "
  for command in build test bench fuzz lint package image; do
    run "$root/dev" "$command" --bogus
    expect "exit status of $command --bogus" 2 "$status"
    expect_in "$err" "./dev $command --help"
  done
  run "$root/dev" test --preset bogus
  expect_in "$err" "there are: dev release asan tsan"
  run "$root/dev" bench bogus
  expect_in "$err" "there is no benchmark 'bogus'"
  run "$root/dev" fuzz bogus
  expect_in "$err" "there is no fuzz target 'bogus'"
  run "$root/dev" package --arch sparc
  expect_in "$err" "--arch wants amd64 or arm64"
  run "$root/dev" package --suite sid
  expect_in "$err" "--suite wants bookworm (Debian 12) or trixie (Debian 13)"
  run "$root/dev" fuzz --seconds soon
  expect_in "$err" "--seconds wants a whole number"
}

test_fuzz_knows_every_target_there_is() {
  local file
  run "$root/dev" fuzz --help
  for file in "$root"/tests/fuzz/*.cpp; do
    case ${file##*/} in replay.cpp | libfuzzer.cpp) continue ;; esac
    expect_in "$out" " $(basename "$file" .cpp) "
  done
}

# A machine where dpkg-query knows every package but those of $1, apt and sudo only take notes, and
# an installation makes the missing ones appear.
machine_without() {
  stub dpkg-query '
    for package in "$@"; do
      case $package in -*|*Status*) continue ;; esac
      if [ ! -e "$SCRATCH/installed" ] && grep -qx "$package" "$SCRATCH/lacks"; then
        echo "dpkg-query: no packages found matching $package" >&2
      else
        echo "$package installed"
      fi
    done'
  stub id 'echo 1000'
  stub apt-get 'true'
  stub sudo '
    echo "$@" >>"$SCRATCH/sudo"
    case "$*" in *" install "*) touch "$SCRATCH/installed" ;; esac
    cat >/dev/null'
  tr ' ' '\n' <<<"$1" >"$scratch/lacks"
}

test_setup_does_nothing_when_nothing_is_missing() {
  machine_without ''
  run stubbed "$root/third_party/setup.sh" common edge cloud demo test
  expect "exit status" 0 "$status"
  expect "output" '' "$out$err"
  [ ! -e "$scratch/sudo" ] || fail "it called sudo: $(<"$scratch/sudo")"
}

test_setup_installs_what_is_missing_and_nothing_else() {
  machine_without 'jq libgrpc++-dev'
  run stubbed "$root/third_party/setup.sh" common demo
  expect "exit status" 0 "$status"
  local installs
  installs=$(grep ' install ' "$scratch/sudo")
  expect "number of installations" 1 "$(wc -l <<<"$installs")"
  expect "packages" 'jq libgrpc++-dev' "$(grep -oE '[^ ]+ [^ ]+$' <<<"$installs")"
  expect_in "$installs" '--no-install-recommends'
  expect_in "$installs" 'DEBIAN_FRONTEND=noninteractive'
  grep -q ' update$' "$scratch/sudo" || fail "it did not update the package index first"
}

test_setup_says_when_a_package_still_is_not_there() {
  machine_without 'jq'
  stub sudo 'cat >/dev/null'
  run stubbed "$root/third_party/setup.sh" demo
  expect "exit status" 1 "$status"
  expect_in "$err" 'still missing after the installation: jq'
}

test_setup_keeps_a_node_that_is_new_enough() {
  machine_without 'nodejs npm'
  stub npm 'true'
  stub node 'echo v22.1.0'
  run stubbed "$root/third_party/setup.sh" web
  expect "packages asked for with Node 22" '' "$err"
  stub node 'echo v16.20.0'
  run stubbed "$root/third_party/setup.sh" web
  expect_in "$err" 'Installing 2 Debian packages: nodejs npm'
}

test_setup_names_the_lists_there_are() {
  run "$root/third_party/setup.sh" bogus
  expect "exit status" 1 "$status"
  expect_in "$err" "no package list 'bogus'"
  expect_in "$err" 'common'
}

test_shell_scripts_are_clean() {
  local scripts
  cd "$root"
  mapfile -t scripts < <(find . -name '*.sh' -not -path './build/*' -not -path '*/node_modules/*')
  shellcheck -x dev .ci/run "${scripts[@]}"
}

"$1"
