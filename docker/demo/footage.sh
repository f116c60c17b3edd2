#!/usr/bin/env bash
# Real footage from Debian's opencv-doc package, unpacked where a camera of kind "file" can read it.
#
#   docker/demo/footage.sh DIRECTORY
#
# leaves hand-and-box.mp4 (H.264, a hand moves a product box over a table), hand-and-bottle.mp4
# (H.264, a hand with a bottle) and pedestrians.avi (MPEG-4 v3, people and cars) in DIRECTORY.
# third_party/LICENSES.md says where they come from.
set -euo pipefail
shopt -s inherit_errexit

[ $# -eq 1 ] || {
  echo "usage: footage.sh DIRECTORY" >&2
  exit 2
}
mkdir -p "$1"
package=/usr/share/doc/opencv-doc

# take NAME SOURCE: atomically, so that an interrupted run leaves no half a film.
take() {
  [ -s "$1" ] && return
  [ -r "$2" ] || {
    echo "footage: $2 is missing; ./dev setup installs the package opencv-doc" >&2
    exit 1
  }
  case $2 in
    *.gz) gzip -dc "$2" >"$1.part" ;;
    *) cp "$2" "$1.part" ;;
  esac
  mv "$1.part" "$1"
}

take "$1/hand-and-box.mp4" "$package/opencv4/html/box.mp4.gz"
take "$1/hand-and-bottle.mp4" "$package/opencv4/html/cup.mp4.gz"
take "$1/pedestrians.avi" "$package/examples/data/vtest.avi"
