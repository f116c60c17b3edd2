# For the tests beside it that try packages in Debian roots: what they are tried in, and how.
# shellcheck shell=bash disable=SC2034
# shellcheck source=tests/dev/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"
bin=${GLEANER_BIN:-$root/build/dev/bin}
native=$(dpkg --print-architecture)
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
# Roots take room that /tmp may not have.
rm -rf "$scratch"
mkdir -p "$root/build/roots"
scratch=$(mktemp -d "$root/build/roots/test.XXXXXX")
chmod 755 "$scratch"

# What this kernel is taught for a test (to run another processor's programs) it forgets afterwards.
processors=/proc/sys/fs/binfmt_misc
taught() { find $processors -mindepth 1 -printf '%f ' 2>/dev/null || true; }
known=$(taught)
# shellcheck disable=SC2317 # the trap calls it
clean_up() {
  local name
  rm -rf "$scratch"
  for name in $(taught); do
    case " $known register status " in *" $name "*) ;; *) echo -1 >"$processors/$name" || true ;; esac
  done
  if [ -z "$known" ] && [ -e $processors/register ]; then umount $processors || true; fi
}
trap clean_up EXIT

debian_root() { "$root/third_party/debian_root.sh" "$@"; }

# native_packages FOLDER: of the programs that are tested; or those of the folder GLEANER_PACKAGES, which ./dev package may have made.
native_packages() {
  mkdir -p "$1"
  if [ -n "${GLEANER_PACKAGES:-}" ]; then
    cp "$GLEANER_PACKAGES"/*.deb "$1"
    return
  fi
  cpack --config "$(dirname "$bin")/CPackConfig.cmake" -B "$scratch/cpack" >"$scratch/cpack.log" 2>&1 ||
    fail "cpack: $(tail -n 20 "$scratch/cpack.log")"
  mv "$scratch"/cpack/*.deb "$1"
}

# later VERSION PACKAGE FOLDER: the same package as of a later version.
later() {
  local unpacked=$scratch/unpacked
  rm -rf "$unpacked"
  dpkg-deb --raw-extract "$2" "$unpacked"
  sed -i "s/^Version: .*/Version: $1/" "$unpacked/DEBIAN/control"
  dpkg-deb --root-owner-group --build "$unpacked" "$3" >/dev/null
}
