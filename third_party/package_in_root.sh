#!/usr/bin/env bash
# Builds and packs for another processor or Debian release than this machine's, in a root that holds what that takes.
#
#   package_in_root.sh SUITE ARCH VERSION JOBS LIST…   leaves the packages in build/package-SUITE-ARCH/packages
#
# What is built: gleaner-edge and gleaner-cli, and the server if LIST has `cloud`. The compiler's cache is this machine's.
set -euo pipefail
shopt -s inherit_errexit
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
suite=$1 arch=$2 version=$3 jobs=$4
shift 4
build=build/package-$suite-$arch
configuration=(-B "$build" -DGLEANER_TESTS=OFF -DGLEANER_CLOUD=OFF -DGLEANER_VERSION="$version")
for list in "$@"; do
  if [ "$list" = cloud ]; then configuration+=(-DGLEANER_CLOUD=ON); fi
done
if [ "$arch" != "$(dpkg --print-architecture)" ]; then
  configuration+=(-DCMAKE_TOOLCHAIN_FILE="$root/third_party/cmake/debian-cross.cmake" -DGLEANER_ARCH="$arch")
fi

builder=$("$root/third_party/debian_root.sh" builder "$suite" "$arch" "$@")
cache=$(ccache --get-config cache_dir 2>/dev/null) || cache=$root/build/ccache
mkdir -p "$cache"
# shellcheck disable=SC2016 # expanded in there
"$root/third_party/debian_root.sh" run "$builder" --bind "$root:$root" --bind "$cache:/var/cache/ccache" \
  /bin/bash -ec '
    cd "$1"
    export CCACHE_DIR=/var/cache/ccache DEB_HOST_ARCH=$4
    build=$2 jobs=$3
    shift 4
    cmake --preset release "$@"
    rm -rf "$build/packages"
    cmake --build "$build" --parallel "$jobs"
    cpack --config "$build/CPackConfig.cmake" -B "$build/packages"
  ' package "$root" "$build" "$jobs" "$arch" "${configuration[@]}"
