#!/usr/bin/env bash
# The units under the real systemd, with all their walls: server and device in one system, which boots as a container.
# shellcheck source=tests/dev/roots.sh
. "$(dirname "${BASH_SOURCE[0]}")/roots.sh"
system=$scratch/system

in_system() { debian_root run "$system" --bind "$scratch/packages:/root/packages" /bin/bash -euxc "$1" >"$scratch/log" 2>&1 ||
  fail "$1: $(tail -n 20 "$scratch/log")"; }

# at_boot COMMAND…: what runs once the units do, before the system goes down; what it prints is kept.
at_boot() {
  cat >"$system/etc/systemd/system/look.service" <<EOF2
[Unit]
After=gleaner-edge.service gleaner-cloud.service
[Service]
Type=oneshot
StandardOutput=file:/root/seen
StandardError=inherit
ExecStart=/bin/bash /root/look
ExecStopPost=/bin/systemctl poweroff --no-block
EOF2
  printf '%s\n' "$@" >"$system/root/look"
  ln -sf ../look.service "$system/etc/systemd/system/multi-user.target.wants/look.service"
}

boot() {
  # Nobody's machine manager is asked: there may be none.
  timeout 600 systemd-nspawn --quiet --directory "$system" --private-network --register=no --keep-unit --boot \
    </dev/null >"$scratch/boot.log" 2>&1 || true
  [ -e "$system/root/seen" ] || fail "the system did not boot: $(tail -n 20 "$scratch/boot.log")"
}

test_both_units_work_behind_all_their_walls() {
  local name
  native_packages "$scratch/packages"
  debian_root copy "$suite" "$native" "$system"
  in_system 'apt-get -q update; apt-get -q -y install systemd-sysv dbus /root/packages/*.deb'
  in_system 'gleaner-pki ca ~/pki; gleaner-pki server ~/pki gleaner.example; gleaner-pki device ~/pki cart-1
    cp ~/pki/{ca.pem,server.pem,server.key} /etc/gleaner/tls; cp ~/pki/ca.pem /etc/gleaner
    cp ~/pki/cart-1.pem /etc/gleaner/device.pem; cp ~/pki/cart-1.key /etc/gleaner/device.key'
  for name in edge cloud; do
    sed -n "\\|^cat >/etc/gleaner/$name.toml|,/^END\$/p" "$root/README.md" | sed '1d; $d' >"$system/etc/gleaner/$name.toml"
  done
  sed -i 's|rtsp://192.0.2.10/stream|/srv/film.mp4|' "$system/etc/gleaner/edge.toml"
  in_system 'systemd-tmpfiles --create gleaner-edge.conf gleaner-cloud.conf; systemctl enable gleaner-edge gleaner-cloud'
  gunzip -c /usr/share/doc/opencv-doc/opencv4/html/box.mp4.gz >"$system/srv/film.mp4"
  printf '127.0.0.1 localhost gleaner.example\n' >"$system/etc/hosts"
  # shellcheck disable=SC2016 # expanded in there
  at_boot 'for _ in $(seq 300); do gleaner clips list --filter media:ok | grep cart-1 && break; sleep 1; done' \
    'systemctl is-active gleaner-edge gleaner-cloud' \
    'for program in gleaner-edge gleaner-cloud; do grep -E "^(NoNewPrivs|Seccomp|CapEff):" /proc/$(pidof $program)/status; done' \
    'stat -c "%n %U %a" /var/lib/gleaner-edge/spool.db /var/lib/gleaner-cloud/catalog.db' \
    'journalctl --no-pager -u gleaner-edge -u gleaner-cloud'
  boot
  name=$(<"$system/root/seen")
  expect_in "$name" 'something-moves'
  expect "units that are active" 2 "$(grep -cx active <<<"$name")"
  expect "programs that gain no rights, are filtered and have no capability" '2 2 2' \
    "$(for line in 'NoNewPrivs:.1' 'Seccomp:.2' 'CapEff:.0000000000000000'; do grep -cx "$line" <<<"$name"; done | xargs)"
  expect_in "$name" '/var/lib/gleaner-edge/spool.db gleaner-edge 600'
  expect_in "$name" '/var/lib/gleaner-cloud/catalog.db gleaner-cloud 600'
}

"$1"
