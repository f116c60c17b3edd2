#!/usr/bin/env bash
# Builds the server's image from docker/Containerfile.cloud with docker, podman or buildah, whichever is there and works.
#
#   docker/image.sh TAG VERSION BASE PACKAGES ENGINE
#
# All but the first may be empty. ENGINE: the first that works. PACKAGES: a folder with the .deb of gleaner-cloud,
# gleaner-model and gleaner-cli, which are taken as they are.
#
# BASE is what it builds upon instead of Debian's own image: the name of an image, a tarball of a system's files, or a folder
# with them, as debootstrap makes one; the last two need no registry.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tag=$1 version=$2 base=$3 packages=$4 engine=$5

die() {
  printf 'image: %s\n' "$*" >&2
  exit 1
}

# The first of ENGINE… that answers; a command without its daemon is none.
working() {
  local name said tried=''
  for name in "$@"; do
    if ! command -v "$name" >/dev/null; then
      tried+=$'\n'"  $name: not installed"
    elif said=$("$name" info 2>&1 >/dev/null); then
      echo "$name"
      return
    else
      tried+=$'\n'"  $name: $(tail -n 1 <<<"$said")"
    fi
  done
  die "building an image needs one of $*, and none works here:$tried
The smallest one: apt-get install buildah"
}

# fetched IMAGE: whether the engine has it now.
fetched() {
  local said has=("$engine" image inspect)
  if [ "$engine" = buildah ]; then has=(buildah inspect --type image); fi
  if "${has[@]}" "$1" >/dev/null 2>&1 || said=$("$engine" pull "$1" 2>&1 >/dev/null); then return; fi
  die "the image that it builds upon can't be had: $1
  $engine: $(tail -n 1 <<<"$said")
Where no registry can be reached, a Debian in a folder does as well: ./dev image --base FOLDER; ./dev image --help says how it is made"
}

# bring_in FROM: makes an image of a tarball or a folder, and prints its name.
bring_in() {
  local name=localhost/gleaner-base tarball=$1 container
  if [ -d "$1" ]; then
    mkdir -p build
    tarball=$(mktemp build/base.XXXXXX.tar)
    tar --create --numeric-owner --one-file-system --file "$tarball" --directory "$1" .
  fi
  if [ "$engine" = buildah ]; then
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$tarball" / >/dev/null
    buildah commit --quiet --rm "$container" "$name" >/dev/null
  else
    "$engine" import "$tarball" "$name" >/dev/null
  fi
  if [ -d "$1" ]; then rm "$tarball"; fi
  echo "$name"
}

if [ -z "$engine" ]; then engine=$(working docker podman buildah); else engine=$(working "$engine"); fi
options=(--file docker/Containerfile.cloud --tag "$tag" --build-arg "VERSION=$version")
if [ -n "$packages" ]; then
  for name in gleaner-cloud gleaner-model gleaner-cli; do
    compgen -G "$packages/${name}_*.deb" >/dev/null || die "there is no ${name}_*.deb in '$packages'; ./dev package makes it"
  done
fi
case $base in
  /* | ./* | ../*) [ -e "$base" ] || die "there is no folder or tarball '$base'" ;;
esac
if [ -n "$base" ] && [ -e "$base" ]; then
  base=$(bring_in "$base")
  if [ "$engine" != docker ]; then options+=(--pull=never); fi
else
  fetched "${base:-$(sed -n 's/^ARG BASE=//p' docker/Containerfile.cloud)}"
fi
if [ -n "$base" ]; then options+=(--build-arg "BASE=$base"); fi
if [ -n "$packages" ]; then
  rm -rf build/image
  mkdir -p build/image
  cp "$packages"/gleaner-{cloud,model,cli}_*.deb build/image
  options+=(--build-arg PACKAGES=build/image)
fi
# How this machine's npm reaches its registry is lent to the build, and stays out of the image.
if [ -r ~/.npmrc ]; then options+=(--secret "id=npmrc,src=$HOME/.npmrc"); fi
if [ -r "${NODE_EXTRA_CA_CERTS:-}" ]; then options+=(--secret "id=ca,src=$NODE_EXTRA_CA_CERTS"); fi
# Only this format knows of HEALTHCHECK; docker builds no other.
if [ "$engine" != docker ]; then options+=(--format docker); fi
printf 'Building %s with %s\n' "$tag" "$engine" >&2
DOCKER_BUILDKIT=1 "$engine" build "${options[@]}" .
rm -rf build/image
