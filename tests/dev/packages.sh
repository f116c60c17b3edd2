#!/usr/bin/env bash
# The Debian packages: what Debian's own checker says, and what happens when they come, are upgraded and go.
# shellcheck disable=SC2016 # scripts of another system
# shellcheck source=tests/dev/roots.sh
. "$(dirname "${BASH_SOURCE[0]}")/roots.sh"
system=$scratch/system

in_system() { debian_root run "$system" --bind "$scratch/packages:/root/packages" /bin/bash -euxc "$@"; }

test_lintian_has_nothing_to_say() {
  native_packages "$scratch/packages"
  run lintian --allow-root --fail-on warning "$scratch"/packages/*.deb
  expect "what lintian says" '' "$out"
  expect "exit status" 0 "$status"
}

test_a_package_says_the_version_of_its_programs() {
  local deb
  native_packages "$scratch/packages"
  for deb in "$scratch"/packages/*.deb; do
    expect "version of ${deb##*/}" "$(<"$bin/../version.txt")" "$(dpkg-deb --field "$deb" Version)"
  done
}

# A package as it was when the command was part of the server's.
old_server_package() {
  local old=$scratch/old
  mkdir -p "$old/DEBIAN" "$old/usr/bin"
  printf 'Package: gleaner-cloud\nVersion: 0.1.0\nArchitecture: %s\nMaintainer: a <a@b.example>\nDescription: old\n' \
    "$native" >"$old/DEBIAN/control"
  printf '#!/bin/sh\necho old\n' >"$old/usr/bin/gleaner"
  chmod 755 "$old/usr/bin/gleaner"
  dpkg-deb --root-owner-group --build "$old" "$scratch/packages" >/dev/null
}

test_packages_come_without_systemd_are_upgraded_and_go() {
  local version
  version=$(<"$bin/../version.txt")
  native_packages "$scratch/packages"
  old_server_package
  mkdir "$scratch/packages/later"
  for name in edge cloud cli model; do
    later "$version.1" "$scratch/packages/gleaner-${name}_${version}_$native.deb" "$scratch/packages/later"
  done
  debian_root copy "$suite" "$native" "$system"

  in_system 'apt-get -q update
    apt-get -q -y install systemd-standalone-sysusers systemd-standalone-tmpfiles /root/packages/gleaner-cloud_0.1.0_*.deb
    [ "$(gleaner)" = old ]
    apt-get -q -y install /root/packages/gleaner-{edge,cloud,cli,model}_"$0"_*.deb' "$version" >"$scratch/log" 2>&1 ||
    fail "installing: $(tail -n 20 "$scratch/log")"
  in_system '
    [ ! -e /usr/bin/systemctl ]
    for program in gleaner gleaner-edge gleaner-cloud gleaner-media gleaner-model; do $program --version; done
    id -nG gleaner-edge; id -nG gleaner-cloud
    stat -c "%n %U:%G %a" /etc/gleaner /etc/gleaner/tls /var/lib/gleaner-edge /var/lib/gleaner-cloud
    ls /usr/share/man/man8/gleaner-{edge,cloud}.8.gz /usr/share/doc/gleaner-{edge,cloud}' >"$scratch/seen" 2>"$scratch/log" ||
    fail "installed: $(<"$scratch/log")"
  expect "versions" "$version 5" "$(head -n 5 "$scratch/seen" | uniq -c | awk '{ print $2, $1 }')"
  expect "groups and folders" 'gleaner-edge video gleaner render
gleaner-cloud gleaner
/etc/gleaner root:gleaner 750
/etc/gleaner/tls root:gleaner 750
/var/lib/gleaner-edge gleaner-edge:gleaner-edge 700
/var/lib/gleaner-cloud gleaner-cloud:gleaner-cloud 700' "$(sed -n 6,11p "$scratch/seen")"

  in_system 'apt-get -q -y install /root/packages/later/*.deb' >"$scratch/log" 2>&1 ||
    fail "upgrading: $(tail -n 20 "$scratch/log")"
  expect "versions after the upgrade" "$version.1 $version.1 $version.1 $version.1" \
    "$(in_system "dpkg-query -W -f '\${Version} ' gleaner-edge gleaner-cloud gleaner-cli gleaner-model" | sed 's/ $//')"

  in_system 'touch /var/lib/gleaner-edge/spool.db
    apt-get -q -y purge gleaner-edge gleaner-cloud gleaner-cli gleaner-model
    [ -e /var/lib/gleaner-edge/spool.db ]' >"$scratch/log" 2>&1 || fail "purging: $(tail -n 20 "$scratch/log")"
  expect_in "$(<"$scratch/log")" 'gleaner-edge: to remove that as well: rm -r /var/lib/gleaner-edge /etc/gleaner'
  expect_in "$(<"$scratch/log")" 'to remove it: deluser gleaner-cloud'
}

# What the units and the programs themselves say of where to read on is there.
test_documents_that_the_units_name_are_in_the_packages() {
  local name document
  native_packages "$scratch/packages"
  for name in edge cloud; do
    dpkg-deb --contents "$scratch"/packages/gleaner-${name}_*.deb >"$scratch/contents"
    # shellcheck disable=SC2013 # several on a line
    for document in $(sed -n 's/^Documentation=//p' "$root/$name/systemd/gleaner-$name.service"); do
      case $document in
        man:*) document=/usr/share/man/man8/gleaner-$name.8.gz ;;
        file://*) document=${document#file://} ;;
      esac
      expect_in "$(<"$scratch/contents")" ".$document"
    done
  done
}

"$1"
