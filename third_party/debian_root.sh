#!/usr/bin/env bash
# Debian systems in folders: to build packages for another processor or release in, and to try packages in from nothing.
#
#   debian_root.sh base SUITE ARCH             prints a folder with a minimal system, made by debootstrap when it is not there
#                                              yet; many share it, so nobody changes it
#   debian_root.sh copy SUITE ARCH FOLDER      a copy of it of one's own
#   debian_root.sh builder SUITE ARCH LIST…    prints a folder with what third_party/packages/LIST.txt name, to build for ARCH
#                                              on this machine's processor: tools of this one, libraries (…-dev) of ARCH
#   debian_root.sh run FOLDER [--bind FROM:TO]… [--read-only] [--keep] COMMAND…
#                                              runs in it, as root, in name spaces of its own: when COMMAND ends, so does
#                                              all that it started, and nothing stays mounted; with --keep what it started
#                                              goes on, for a caller whose own name spaces end all at once
#
# Packages come from where this machine's apt gets its own; GLEANER_MIRROR names another place. Roots are kept in
# build/roots, and may be removed at any time. Needs root. A root for another processor runs under qemu-user (package qemu-user-static).
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
roots=$(dirname "$here")/build/roots

die() {
  printf 'debian_root: %s\n' "$*" >&2
  exit 1
}

# Where apt gets the packages of $1 from, a release that this machine has.
mirror_of() {
  # shellcheck disable=SC2016 # apt's own words
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk -v release="$1" '$1 == release { sub("/$", "", $2); print $2; exit }'
}

sources() { # sources SUITE: as sources.list has them
  local here security mirror
  # shellcheck source=/dev/null
  here=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  mirror=${GLEANER_MIRROR:-$(mirror_of "$here")}
  [ -n "$mirror" ] || die "apt knows no place to get packages from (apt-get update); or say one: GLEANER_MIRROR"
  echo "deb $mirror $1 main"
  security=$(mirror_of "$here-security")
  if [ -n "$security" ] && [ -z "${GLEANER_MIRROR:-}" ]; then echo "deb $security $1-security main"; fi
}

# Registers qemu-user for ARCH with this kernel, as systemd does at boot. Where there is no systemd nobody has.
teach_kernel() {
  local binfmt=/proc/sys/fs/binfmt_misc name
  case $1 in
    amd64) name=qemu-x86_64 ;;
    arm64) name=qemu-aarch64 ;;
    *) die "roots are made for amd64 and arm64, not for '$1'" ;;
  esac
  [ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt 2>/dev/null ||
    die "this kernel can't run programs of another processor (no binfmt_misc)"
  [ ! -e $binfmt/$name ] || return 0
  [ -e /usr/lib/binfmt.d/$name.conf ] || die "qemu-user-static is missing (apt-get install qemu-user-static)"
  cat /usr/lib/binfmt.d/$name.conf >$binfmt/register
}

base() {
  local root=$roots/$1-$2 fresh lock from
  [ "$(id -u)" -eq 0 ] || die "making a Debian root needs root: run this with sudo"
  command -v debootstrap >/dev/null || die "debootstrap is missing (apt-get install debootstrap)"
  mkdir -p "$roots"
  exec {lock}>"$root.lock"
  flock "$lock"
  if [ "$2" != "$(dpkg --print-architecture)" ]; then teach_kernel "$2"; fi
  if [ ! -d "$root" ]; then
    from=$(sources "$1")
    fresh=$(mktemp -d "$root.XXXXXX")
    printf 'Making a Debian root: %s, %s\n' "$1" "$2" >&2
    # It mounts /proc in there and leaves it where it fails: in a name space of its own that ends with it.
    if ! unshare --mount debootstrap --variant=minbase --arch="$2" "$1" "$fresh" "$(awk '{ print $2; exit }' <<<"$from")" \
      >"$root.log" 2>&1; then
      tail -n 5 "$root.log" >&2
      rm -rf --one-file-system "$fresh"
      die "debootstrap could not make $1 for $2 (all that it said: $root.log)"
    fi
    rm -f "$fresh"/var/cache/apt/archives/*.deb
    echo "$from" >"$fresh/etc/apt/sources.list"
    # What is lost when the machine goes down is made again.
    echo force-unsafe-io >"$fresh/etc/dpkg/dpkg.cfg.d/gleaner"
    printf '%s\n' 'Acquire::Languages "none";' 'APT::Install-Recommends "false";' >"$fresh/etc/apt/apt.conf.d/gleaner"
    # Services don't start in a folder.
    printf '#!/bin/sh\nexit 101\n' >"$fresh/usr/sbin/policy-rc.d"
    chmod 755 "$fresh/usr/sbin/policy-rc.d" "$fresh"
    mv "$fresh" "$root"
  fi
  echo "$root"
}

copy() {
  local from
  from=$(base "$1" "$2")
  mkdir -p "$3"
  cp -a --reflink=auto "$from/." "$3"
}

builder() {
  local suite=$1 arch=$2 root stamp native packages lock
  shift 2
  native=$(dpkg --print-architecture)
  root=$roots/build-$suite-$arch
  packages=$(for list in "$@"; do sed 's/#.*//' "$here/packages/$list.txt"; done | tr -d ' \t' | sed '/^$/d' | sort -u)
  stamp=$(sha256sum <<<"$packages")
  mkdir -p "$roots"
  exec {lock}>"$root.lock"
  flock "$lock"
  if [ ! -d "$root" ]; then
    copy "$suite" "$native" "$root.new"
    mv "$root.new" "$root"
  fi
  if [ "$(cat "$root/stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -f "$root/stamp"
    printf 'Installing what builds for %s on %s\n' "$suite" "$arch" >&2
    # shellcheck disable=SC2086,SC2016 # a list of names; expanded in there
    if ! run "$root" /bin/bash -ec '
      arch=$1 native=$2 wanted=()
      shift 2
      dpkg --configure -a
      [ "$arch" = "$native" ] || dpkg --add-architecture "$arch"
      apt-get -q update
      for package in "$@"; do
        # Headers alone are the same for every processor.
        if [[ $package == *-dev ]] && ! apt-cache show --no-all-versions "$package" | grep -qx "Architecture: all"; then
          package=$package:$arch
        fi
        wanted+=("$package")
      done
      [ "$arch" = "$native" ] || wanted+=("crossbuild-essential-$arch")
      apt-get -q -y -o Dpkg::Use-Pty=0 install "${wanted[@]}"
      apt-get clean' build "$arch" "$native" $packages >"$root.log" 2>&1 </dev/null; then
      tail -n 10 "$root.log" >&2
      die "the packages to build with could not be installed (all that apt said: $root.log)"
    fi
    echo "$stamp" >"$root/stamp"
  fi
  echo "$root"
}

run() {
  local root=$1 spaces=(--pid --fork --kill-child) mounts=() how=rw
  shift
  while :; do
    case ${1:-} in
      --keep) spaces=() ;;
      --read-only) how=ro ;;
      --bind)
        mounts+=("$2")
        shift
        ;;
      *) break ;;
    esac
    shift
  done
  if [ ! -e "$root/bin/sh" ] && [ ! -L "$root/bin" ]; then die "'$root' holds no system"; fi
  # shellcheck disable=SC2016 # it is expanded in there
  unshare --mount --ipc --uts "${spaces[@]}" /bin/bash -ec '
    root=$1 how=$2 count=$3
    shift 3
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    for ((; count > 0; count--)); do
      to=$root/${1#*:}
      if [ -d "${1%%:*}" ]; then mkdir -p "$to"; else mkdir -p "$(dirname "$to")" && touch "$to"; fi
      mount --rbind "${1%%:*}" "$to"
      shift
    done
    ! [ -e /etc/resolv.conf ] || cat /etc/resolv.conf >"$root/etc/resolv.conf" || true
    mount -o "remount,bind,$how" "$root"
    hostname gleaner-root
    exec chroot "$root" /usr/bin/env -i \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
      DEBIAN_FRONTEND=noninteractive TERM=dumb ${http_proxy:+http_proxy="$http_proxy"} \
      ${https_proxy:+https_proxy="$https_proxy"} "$@"
  ' debian_root "$root" "$how" "${#mounts[@]}" "${mounts[@]}" "$@"
}

case ${1:-} in
  base | copy | builder | run) "$@" ;;
  *)
    sed -n '2,/^set -/p' "${BASH_SOURCE[0]}" | sed -n 's/^# \{0,1\}//p' >&2
    exit 2
    ;;
esac
