#!/usr/bin/env bash
# The server's container image: built without a registry, started as an engine would start it (its own user, nothing it can write to but
# its volume), and sent a clip, whose frames a model looks at.
# shellcheck source=tests/dev/roots.sh
. "$(dirname "${BASH_SOURCE[0]}")/roots.sh"
megabyte=1000000
models=${GLEANER_MODELS:-$root/third_party/models/made}

# operator COMMAND…: beside the server, as the operator.
operator() { debian_root run "$system" --keep --read-only gleaner --token "$(<"$scratch/token")" "$@"; }

# eventually TEXT COMMAND…: until that is in what it says.
eventually() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    operator "${@:2}" >"$scratch/said"
    if grep -q "$1" "$scratch/said"; then return; fi
    sleep 0.5
  done
  fail "no $1 in what gleaner ${*:2} says: $(cat "$scratch/said" "$scratch/server.log")"
}

image() { # image WORD: what the image's configuration says of it, words apart
  buildah inspect --type image --format "{{range .OCIv1.Config.$1}}{{.}} {{end}}" gleaner-test
}

# In a network of its own, so that the ports are free.
serve() {
  local tries
  ip link set lo up
  read -ra command <<<"$(image Entrypoint)$(image Cmd)"
  mounts=(--bind "$scratch/etc:/etc/gleaner" --bind "$scratch/data:/var/lib/gleaner-cloud" --bind "$scratch/tmp:/tmp"
    --bind "$scratch/token:/run/secrets/token")
  as_its_user=(setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --no-new-privs --bounding-set=-all)
  debian_root run "$system" "${mounts[@]}" --read-only --keep "${as_its_user[@]}" "${command[@]}" >"$scratch/server.log" 2>&1 &
  for ((tries = 0; tries < 600; tries++)); do
    if healthy; then break; fi
    sleep 0.2
  done
  healthy || fail "it never got healthy: $(<"$scratch/server.log")"

  operator label schema create things --kind boxes --class box --class bottle --class person >/dev/null
  "$bin/gleaner-edge" --config "$scratch/edge.toml" --until-drained >"$scratch/edge.log" 2>&1 ||
    fail "the device: $(tail -n 20 "$scratch/edge.log")"
  eventually cart-1 clips list --filter media:ok
  eventually basket frames list --filter predicted:box,bottle,person
}

# As HEALTHCHECK asks.
healthy() {
  debian_root run "$system" --keep --read-only bash -c "$(sed -n '/^HEALTHCHECK/,/\]$/p' "$root/docker/Containerfile.cloud" |
    sed -n 's/^  "\(.*\)"\]$/\1/p' | sed 's/\\"/"/g; s/\\\\/\\/g')" 2>/dev/null
}

# Without a registry, in a store of its own.
build() { # build OPTION…
  printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$scratch" "$scratch" >"$scratch/storage.conf"
  export CONTAINERS_STORAGE_CONF=$scratch/storage.conf BUILDAH_ISOLATION=chroot TMPDIR=$scratch
  "$root/dev" image gleaner-test --engine buildah --base "$(debian_root base "$suite" "$native")" "$@" >"$scratch/build.log" 2>&1 ||
    fail "./dev image: $(tail -n 20 "$scratch/build.log")"
  system=$(buildah mount "$(buildah from --pull=never gleaner-test)")
}

test_it_takes_a_clip_in_as_its_own_user_on_a_read_only_root() {
  local size
  native_packages "$scratch/packages"
  build --packages "$scratch/packages"
  user=$(buildah inspect --type image --format '{{.OCIv1.Config.User}}' gleaner-test)
  expect "its user" 7443:7443 "$user"
  size=$(($(du --summarize --bytes "$system" | cut -f 1) / megabyte))
  printf 'the image: %d MB\n' "$size"
  [ "$size" -le 350 ] || fail "it has become $size MB; 350 are allowed"
  expect "its version" "$("$bin/gleaner-cloud" --version)" "$(debian_root run "$system" gleaner-cloud --version)"
  run debian_root run "$system" --read-only touch /usr/here
  [ "$status" -ne 0 ] || fail "its root can be written to"

  # What docker/README.md has people lay out.
  mkdir -p "$scratch"/{etc,data,tmp}
  "$root/docker/demo/pki.sh" "$scratch/tls" cart-1
  cp -r "$scratch/tls" "$scratch/etc/tls"
  rm "$scratch/etc/tls/ca.key"
  [ -s "$models/objectron.onnx" ] || fail "there is no model in $models; ./dev setup models makes it"
  cp -r "$models" "$scratch/etc/models"
  # What stands commented out there is the model.
  sed -E 's/^# ((\[\[model|[a-z]+ = ).*)/\1/' "$root/docker/compose-cloud.toml" >"$scratch/etc/cloud.toml"
  openssl rand -hex 24 >"$scratch/token"
  chown -R root:7443 "$scratch/etc" "$scratch/token"
  chown 7443:7443 "$scratch/data"
  chmod -R u=rwX,g=rX,o= "$scratch/etc" "$scratch/token"
  chmod 1777 "$scratch/tmp"
  gunzip -c /usr/share/doc/opencv-doc/opencv4/html/box.mp4.gz >"$scratch/film.mp4"
  sed "s|@STATE@/cart-1|$scratch/spool|; s|@STATE@/footage/hand-and-box.mp4|$scratch/film.mp4|; s|@STATE@|$scratch|
    s|@GRPC_PORT@|7443|; s|^loop = true|pace = \"fast\"|" "$root/docker/demo/cart-1.toml" >"$scratch/edge.toml"

  system=$system user=$user unshare --net --pid --mount --fork --kill-child "$0" serve "$scratch"
}

# What a machine without Debian does: all is made in the image.
test_it_compiles_what_it_holds() {
  build
  expect "its version" "$("$bin/gleaner-cloud" --version)" "$(debian_root run "$system" gleaner-cloud --version)"
  [ -e "$system/usr/share/gleaner/web/index.html" ] || fail "it has no page"
}

if [ "$1" = serve ]; then
  rm -rf "$scratch"
  trap - EXIT
  scratch=$2
  mount -t proc proc /proc
fi
"$1"
