#!/usr/bin/env bash
# Which version a source tree says it is, from wherever it came.
# shellcheck disable=SC2016 # $Format is git's
# shellcheck source=tests/dev/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"
source=$scratch/source
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b.example
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b.example

# A history of three commits with what a version is made of.
history() {
  local n
  mkdir -p "$source/third_party/cmake"
  cp "$root/.gitattributes" "$source"
  printf '$Format:%%ct %%H$\n' >"$source/third_party/cmake/archived_commit.txt"
  git -C "$source" init --quiet
  for n in 1 2 3; do commit $n; done
}

commit() {
  echo "$1" >"$source/file"
  git -C "$source" add --all
  GIT_AUTHOR_DATE="@$((1700000000 + $1)) +0000" GIT_COMMITTER_DATE="@$((1700000000 + $1)) +0000" \
    git -C "$source" commit --quiet --message "$1"
}

version_of() { # version_of FOLDER [CMAKE-OPTION…]
  cmake -DBASE=0.1.0 -DSOURCE_DIR="$1" "${@:2}" -P "$root/third_party/cmake/WriteVersion.cmake" 2>&1
}

head_hash() { git -C "$source" rev-parse HEAD | cut -c 1-7; }

expect_later() { # expect_later OLDER NEWER
  dpkg --compare-versions "$1" lt "$2" || fail "'$2' is no later version than '$1'"
}

test_a_clone_says_how_many_commits_it_has_and_the_last_one() {
  local before
  history
  expect "version" "0.1.0+3.g$(head_hash)" "$(version_of "$source")"
  before=$(version_of "$source")
  echo changed >"$source/file"
  expect "version of changed files" "$before.dirty" "$(version_of "$source")"
  expect_later "$before" "$before.dirty"
  expect_later 0.1.0 "$before"
  for n in 4 5 6 7 8 9 10; do
    commit $n
    expect_later "$before" "$(version_of "$source")"
    before=$(version_of "$source")
  done
  expect "version" "0.1.0+10.g$(head_hash)" "$before"
}

test_somebody_elses_clone_knows_its_commits_too() {
  history
  # Only root can give files away; others test that their own are as good.
  if [ "$(id -u)" -eq 0 ]; then chown -R 12345 "$source"; fi
  run version_of "$source"
  expect_in "$out" '0.1.0+3.g'
}

test_a_shallow_clone_and_an_archive_are_ordered_by_time_below_what_can_count() {
  local before shallow=$scratch/shallow archive=$scratch/archive
  history
  before=$(version_of "$source")
  git clone --quiet --depth 1 "file://$source" "$shallow"
  expect "version of a shallow clone" "0.1.0+0.1700000003.g$(head_hash)" "$(version_of "$shallow")"
  mkdir "$archive"
  git -C "$source" archive HEAD | tar -x -C "$archive"
  expect "version of an archive" "0.1.0+0.1700000003.g$(head_hash)" "$(version_of "$archive")"
  expect_later "$(version_of "$shallow")" "$before"
  expect_later 0.1.0+0 "$(version_of "$shallow")"
  expect_later 0.1.0 0.1.0+0
  commit 4
  git -C "$shallow" fetch --quiet --depth 1 origin HEAD
  git -C "$shallow" checkout --quiet FETCH_HEAD
  expect_later "0.1.0+0.1700000003.gfffffff" "$(version_of "$shallow")"
}

test_files_without_a_history_say_that_nobody_knows_their_commit() {
  local copy=$scratch/copy
  history
  cp -r "$source" "$copy"
  rm -rf "$copy/.git"
  expect "version" 0.1.0+0 "$(version_of "$copy")"
  # Unpacked inside somebody else's clone: that clone's commits are not this project's.
  cp -r "$copy" "$source/vendored"
  expect "version inside another clone" 0.1.0+0 "$(version_of "$source/vendored")"
}

test_a_version_that_is_given_is_taken_if_it_is_one() {
  history
  expect "version" 0.1.0+7.gabcdef0 "$(version_of "$source" -DVERSION=0.1.0+7.gabcdef0)"
  run version_of "$source" -DVERSION='0.1 "); x'
  expect "exit status" 1 "$status"
  expect_in "$out" 'a version looks like 0.1.0'
}

test_what_is_written_is_touched_only_when_it_changes() {
  local text=$scratch/version.txt source_file=$scratch/version.cpp before
  history
  write() { version_of "$source" -DTEMPLATE="$root/common/version.cpp.in" -DSOURCE="$source_file" -DTEXT="$text"; }
  write
  expect_in "$(<"$source_file")" "\"$(<"$text")\""
  touch -d @1000000000 "$source_file"
  write
  expect "time of the source" 1000000000 "$(stat -c %Y "$source_file")"
  before=$(<"$text")
  commit 4
  write
  expect_later "$before" "$(<"$text")"
  expect_in "$(<"$source_file")" "\"$(<"$text")\""
}

"$1"
