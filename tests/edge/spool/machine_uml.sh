# For power_cut.sh: user-mode-linux as the machine, on this machine's own root. It boots in seconds.
# shellcheck shell=bash disable=SC2034,SC2154

uml_prepare() { :; }

# uml_start DIR: boots on DIR/disk.img and runs DIR/work in it. Its process group is $machine.
uml_start() {
  cat >"$1/init" <<INIT
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc none /proc
mkdir -p $1/mnt
mount -t ext4 /dev/ubdb $1/mnt
disk=$1/mnt; . $1/work
INIT
  chmod +x "$1/init"
  setsid linux ubdb="$1/disk.img" root=/dev/root rootfstype=hostfs rootflags=/ rw mem=256M init="$1/init" \
    con=null con0=null,fd:1 >"$1/console.log" 2>&1 </dev/null &
  machine=$!
}
