#!/usr/bin/env bash
# Which room may know which: CMake says it, and no include says otherwise.
# shellcheck source=tests/dev/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"
cd "$root"

# "FOLDER LIBRARY DEPENDENCIES…" of every room: a folder whose CMakeLists.txt has a gleaner_library.
rooms() {
  local file
  for file in common/CMakeLists.txt common/*/CMakeLists.txt edge/*/CMakeLists.txt cloud/*/CMakeLists.txt cloud/*/*/CMakeLists.txt; do
    [ -f "$file" ] || continue
    tr '\n' ' ' <"$file" | grep -oE 'gleaner_library\([^)]*\)' |
      sed -E "s|gleaner_library\(([a-z_0-9]+)|${file%/CMakeLists.txt} \1|; s/EXCLUDE \"[^\"]*\"//; s/DEPS//; s/\)//"
  done
}

# The rooms that a folder's own files include; …_room.cpp is the server's, not the room's.
included() {
  find "$1" -maxdepth 1 \( -name '*.h' -o -name '*.cpp' \) ! -name '*_room.*' ! -name main.cpp -exec \
    grep -hoE '^#include "(common|edge|cloud)/[^"]+/?' {} + | sed -E 's/^#include "//; s|/[^/]*$||' | sort -u
}

test_every_include_of_another_room_is_declared() {
  local undeclared="" folder library needs other
  declare -A library_of
  while read -r folder library _; do library_of[$folder]=$library; done < <(rooms)
  [ "${#library_of[@]}" -gt 15 ] || fail "only ${#library_of[@]} rooms were found"
  while read -r folder library needs; do
    for other in $(included "$folder"); do
      [ "$other" = "$folder" ] && continue
      [ -n "${library_of[$other]:-}" ] || continue
      [[ " $needs " == *" ${library_of[$other]} "* ]] || undeclared+="$folder includes $other"$'\n'
    done
  done < <(rooms)
  expect "what CMakeLists.txt doesn't say" '' "$undeclared"
}

test_what_is_declared_is_included() {
  local idle="" folder library needs need
  declare -A folder_of
  while read -r folder library _; do folder_of[$library]=$folder; done < <(rooms)
  while read -r folder library needs; do
    for need in $needs; do
      [ -n "${folder_of[$need]:-}" ] || continue
      included "$folder" | grep -qx "${folder_of[$need]}" || idle+="$folder has no need of $need"$'\n'
    done
  done < <(rooms)
  expect "what CMakeLists.txt says and no include needs" '' "$idle"
}

test_edge_and_cloud_never_include_each_other() {
  expect "edge in cloud or cli" '' "$(grep -rlE '^#include "edge/' cloud cli --include='*.h' --include='*.cpp')"
  expect "cloud in edge or cli" '' "$(grep -rlE '^#include "cloud/' edge cli --include='*.h' --include='*.cpp')"
}

test_no_two_rooms_include_each_other() {
  local folder other edges=""
  while read -r folder _; do
    for other in $(included "$folder"); do
      [ "$other" = "$folder" ] || edges+="$folder $other"$'\n'
    done
  done < <(rooms)
  printf %s "$edges" >"$scratch/edges"
  run tsort "$scratch/edges"
  expect "in a circle" '' "$err"
}

"$1"
