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
  for command in build demo test bench fuzz lint package image; do
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
  expect "exit status" 2 "$status"
}

test_an_image_whose_parts_are_not_there_says_which() {
  stub podman '
    case $1 in
      info) ;;
      pull) echo "Error: no such host" >&2; exit 125 ;;
      build) echo "$@" >"$SCRATCH/built" ;;
      *) exit 1 ;;
    esac'
  run stubbed "$root/dev" image --engine podman
  expect "exit status" 1 "$status"
  expect_in "$err" "can't be had: docker.io/library/debian:bookworm-slim"
  expect_in "$err" "podman: Error: no such host"
  expect_in "$err" "./dev image --base FOLDER"
  run stubbed "$root/dev" image --engine podman --base /nowhere/debian
  expect_in "$err" "there is no folder or tarball '/nowhere/debian'"
  run stubbed "$root/dev" image --engine podman --packages "$scratch"
  expect_in "$err" "there is no gleaner-cloud_*.deb in '$scratch'"
  [ ! -e "$scratch/built" ] || fail "it went on to build"
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

test_image_says_which_engines_it_tried_and_why_none_works() {
  stub docker 'echo "Cannot connect to the Docker daemon. Is it running?" >&2; exit 1'
  stub podman 'echo "no name spaces for you" >&2; exit 125'
  stub buildah 'echo "neither here" >&2; exit 1'
  run stubbed "$root/dev" image
  expect "exit status" 1 "$status"
  expect_in "$err" 'needs one of docker podman buildah, and none works here'
  expect_in "$err" 'docker: Cannot connect to the Docker daemon'
  expect_in "$err" 'podman: no name spaces for you'
  expect_in "$err" 'apt-get install buildah'
}

test_image_takes_the_engine_that_works_and_a_base_without_a_registry() {
  local base=$scratch/debian
  mkdir -p "$base/etc"
  echo 12 >"$base/etc/debian_version"
  stub docker 'exit 1'
  stub podman '
    case $1 in
      import) tar -tf "$2" >"$SCRATCH/imported" ;;
      build) echo "$@" >"$SCRATCH/built" ;;
    esac'
  run stubbed "$root/dev" image my-tag --base "$base"
  expect "exit status" 0 "$status"
  expect_in "$(<"$scratch/imported")" './etc/debian_version'
  expect_in "$(<"$scratch/built")" '--tag my-tag'
  expect_in "$(<"$scratch/built")" 'BASE=localhost/gleaner-base'
  touch "$scratch"/gleaner-{cloud,model,cli}_1_all.deb
  run stubbed "$root/dev" image --base debian:bookworm-slim --packages "$scratch"
  expect_in "$(<"$scratch/built")" 'BASE=debian:bookworm-slim'
  expect_in "$(<"$scratch/built")" 'VERSION=0.'
  expect_in "$(<"$scratch/built")" 'PACKAGES=build/image'
  run stubbed "$root/dev" image --packages "$base"
  expect "exit status without the server's packages" 1 "$status"
  expect_in "$err" "there is no gleaner-cloud_*.deb in"
}

test_shell_scripts_are_clean() {
  local scripts
  cd "$root"
  mapfile -t scripts < <(find . -name '*.sh' -not -path './build/*' -not -path '*/node_modules/*')
  shellcheck -x dev .ci/run "${scripts[@]}"
}

# The rest of ./dev lint takes longer and runs with --all; this is what is forgotten most.
test_sources_are_formatted() {
  local sources
  cd "$root"
  mapfile -t sources < <(find common edge cloud cli tests -name '*.cpp' -o -name '*.h' | grep -v /node_modules/)
  clang-format --dry-run -Werror "${sources[@]}"
}

"$1"
