#!/usr/bin/env bash
# What is committed keeps the project's own rules.
# shellcheck source=tests/dev/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"

test_a_fresh_clone_passes_lint() {
  git clone --quiet "$root" "$scratch/clone"
  run "$scratch/clone/dev" lint
  expect "exit status" 0 "$status"
}

test_lint_sees_a_line_that_is_not_formatted_and_a_script_that_is_not_clean() {
  git clone --quiet "$root" "$scratch/clone"
  cd "$scratch/clone"
  echo 'int  main( ) { return 0 ; }' >common/crooked.h
  # shellcheck disable=SC2016 # not to be expanded here
  printf '#!/bin/sh\necho $1\n' >third_party/crooked.sh
  run ./dev lint
  expect "exit status" 1 "$status"
  expect_in "$err" 'common/crooked.h'
  expect_in "$out$err" 'third_party/crooked.sh'
}

"$1"
