#!/usr/bin/env bash
# From two fresh Debian systems, a server and a device, to the first clip of a watched camera and to what a model finds on its frames, by
# what README.md says in "From an image to a watched device", word for word, and by the packages. What differs from that:
#   - systemctl: a folder has no init, so a stand-in starts what the units say, as their users, in their folders
#   - scp, which there copies from folder to folder
#   - what installs packages runs first, while there is a network
#   - the camera, whose address becomes that of a film, which plays again and again
# shellcheck disable=SC2016 # scripts of other machines
# shellcheck source=tests/dev/roots.sh
. "$(dirname "${BASH_SOURCE[0]}")/roots.sh"
models=${GLEANER_MODELS:-$root/third_party/models/made}
heading='### From an image to a watched device'

# blocks MACHINE: README's commands for it, a file each, numbered as they stand there among all machines'.
blocks() {
  mkdir -p "$scratch/steps"
  sed -n "/^$heading/,/^### [^F]/p" "$root/README.md" |
    awk -v to="$scratch/steps" '/^```sh / { file = sprintf("%s/%02d-%s", to, ++n, $2); next } /^```/ { file = ""; next }
      file { print > file }'
  [ "$(find "$scratch/steps" -type f | wc -l)" -ge 6 ] || fail "README.md has lost its commands"
}

# prepare MACHINE ARCH: a fresh system, with the packages and the model in /root, where somebody would have put them.
prepare() {
  debian_root copy "$suite" "$2" "$scratch/$1"
  cp "$models"/objectron.* "$scratch/$1/root/"
  cp "$scratch"/packages/*_"$2".deb "$scratch/$1/root/"
  install -m 755 "$root/tests/dev/systemctl" "$scratch/$1/usr/local/bin/systemctl"
  echo 'APT::Get::Assume-Yes "true";' >"$scratch/$1/etc/apt/apt.conf.d/nobody-to-ask"
  printf '127.0.0.1 localhost gleaner.example cart-1\n' >"$scratch/$1/etc/hosts"
}

in_machine() { # in_machine MACHINE [OPTION…] COMMAND…
  debian_root run "$scratch/$1" --bind "$scratch:/machines" "${@:2}"
}

step() { # step FILE [OPTION…]
  printf -- '--- %s\n' "${1##*/}"
  in_machine "${1##*-}" "${@:2}" --bind "$1:/root/step" /bin/bash -euxc 'cd; . ./step' || {
    tail -n 20 "$scratch"/*/var/log/gleaner-*.log || true
    fail "README.md, step ${1##*/}"
  }
}

# Phase one has the network, to install.
install_packages() {
  local machine file
  for machine in server device; do in_machine $machine apt-get -q update >/dev/null; done
  for file in "$scratch"/steps/*; do
    if grep -q 'apt-get install' "$file"; then step "$file"; fi
  done
}

# Phase two has only a loopback of its own, so that README's ports are free.
watch() {
  local file
  ip link set lo up
  for file in "$scratch"/steps/*; do
    if grep -q 'apt-get install' "$file"; then continue; fi
    # What has to happen before somebody looks at it.
    case $(<"$file") in
      *'gleaner clips list'*) eventually cart-1 gleaner clips list --filter 'device:cart-1 media:ok' ;;
      *'gleaner models run'*) eventually runs gleaner models list ;;
      *'gleaner frames list'*) eventually front gleaner frames list --filter predicted:box,bottle,person ;;
    esac
    step "$file" --keep | tee -a "$scratch/said"
  done
  grep -q 'cart-1.*online' "$scratch/said" || fail "gleaner devices does not show cart-1 online"
  grep -q 'cart-1.*something-moves' "$scratch/said" || fail "gleaner clips list does not show the clip"
  grep -qE '^[1-9][0-9]* clips?\. See: gleaner jobs list --kind model-objectron' "$scratch/said" || fail "the model has no clip to look at"
  grep -qE '^[0-9a-f]+ +front +[0-9]+ ' "$scratch/said" || fail "gleaner frames list does not show what the model found"
}

# eventually TEXT COMMAND…: until that is in what the server's COMMAND says.
eventually() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    if in_machine server --keep "${@:2}" 2>/dev/null | grep -q "$1"; then return; fi
    pgrep -f 'gleaner-edge --config' >/dev/null || break
    sleep 1
  done
  tail -n 30 "$scratch"/*/var/log/gleaner-*.log
  fail "no $1 in what ${*:2} says"
}

from_nothing() { # from_nothing ARCH
  blocks
  native_packages "$scratch/packages"
  [ -s "$models/objectron.onnx" ] || fail "there is no model in $models; ./dev setup models makes it"
  if [ "$1" != "$native" ] && ! compgen -G "$scratch/packages/*_$1.deb" >/dev/null; then
    "$root/dev" package --arch "$1" >"$scratch/package.log" 2>&1 || fail "./dev package: $(tail -n 20 "$scratch/package.log")"
    cp "$root"/build/packages/*_"$1".deb "$scratch/packages"
  fi
  prepare server "$native"
  prepare device "$1"
  printf '#!/bin/sh\nexec cp "$1" "/machines/device${2#root@cart-1:}"\n' >"$scratch/server/usr/local/bin/scp"
  chmod 755 "$scratch/server/usr/local/bin/scp"
  gunzip -c /usr/share/doc/opencv-doc/opencv4/html/box.mp4.gz >"$scratch/device/srv/film.mp4"
  sed -i 's|^gleaner-edge probe rtsp://192.0.2.10/stream .*|&\necho "loop = true" >>/etc/gleaner/edge.toml|
    s|rtsp://192.0.2.10/stream|/srv/film.mp4|' "$scratch"/steps/*-device
  install_packages
  unshare --net --pid --mount --fork --kill-child "$0" watch "$scratch"
}

test_a_fresh_system_becomes_a_watched_device() { from_nothing "$native"; }

test_the_package_for_another_processor_does_the_same() {
  case $native in
    amd64) from_nothing arm64 ;;
    *) from_nothing amd64 ;;
  esac
}

if [ "$1" = watch ]; then
  rm -rf "$scratch"
  trap - EXIT
  scratch=$2
  mount -t proc proc /proc
fi
"$1"
