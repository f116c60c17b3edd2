#!/bin/bash
# Cuts the power while a spool is at work, and checks what is left.
#
#   power_cut.sh BIN_DIR [CUTS] [uml|qemu]
#
# A virtual machine boots a kernel of its own as a process, with a small ext4 disk for the spool. Killing that process is a power
# cut: what was only in its page cache is gone, what was synced is in the image. In there spool_crash_child works and writes its
# journal of promises to the host, where it survives. After the cut the image is repaired as a boot would repair it, the spool is
# copied out, and `spool_crash_child check` holds it against the journal.
#
# The machine is user-mode-linux; where that can't run (on processors with AMX, for one: "ptrace set fp regs"), it is QEMU.
#
# Then the negative control: the same with SQLite's synchronous=NORMAL must lose a clip whose commit had returned. If it doesn't,
# the test proves nothing and fails.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
bin=$(realpath "$1")
cuts=${2:-4}
kind=${3:-}
export PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=tests/edge/spool/machine_uml.sh
. "$here/machine_uml.sh"
# shellcheck source=tests/edge/spool/machine_qemu.sh
. "$here/machine_qemu.sh"
for tool in mkfs.ext4 e2fsck debugfs; do
  command -v "$tool" > /dev/null || { echo "power_cut.sh needs $tool" >&2; exit 1; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/gleaner-power-cut-XXXXXX")
machine=
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
  [ -z "$machine" ] || kill -9 -- -"$machine" 2> /dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

# boot NAME COMMAND: a machine with an empty disk, mounted at $disk in there, runs COMMAND in $work/NAME; true once it made
# $work/NAME/ready, false if it can't.
boot() {
  local dir=$work/$1 tries=0
  mkdir -p "$dir"
  truncate -s 64M "$dir/disk.img"
  mkfs.ext4 -q -F "$dir/disk.img"
  printf '%s\nsleep 3600\n' "$2" > "$dir/work"
  "${kind}_start" "$dir"
  until [ -f "$dir/ready" ]; do
    kill -0 "$machine" 2> /dev/null || return 1
    # A machine that hangs is none, either.
    [ ! -f "$dir/ended" ] && [ $((++tries)) -le 12000 ] || return 1
    sleep 0.05
  done
}

cut_power() {
  kill -9 -- -"$machine" 2> /dev/null || true
  wait "$machine" 2> /dev/null || true
  machine=
}

# work_and_cut NAME MILLISECONDS ARGUMENTS...: one boot, one cut that long after the child is ready. Leaves $work/NAME/spool and
# journal.
work_and_cut() {
  local dir=$work/$1 ms=$2 name=$1
  shift 2
  boot "$name" "$bin/spool_crash_child run \$disk/spool $dir/journal --ready $dir/ready $* > $dir/child.log 2>&1
echo \$? > $dir/ended" || {
    cat "$dir/child.log" "$dir/console.log" >&2 || true
    echo "the child never got ready" >&2
    exit 1
  }
  sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
  cut_power
  e2fsck -fy "$dir/disk.img" > "$dir/fsck.log" 2>&1 || [ $? -le 1 ]
  debugfs -R "rdump /spool $dir" "$dir/disk.img" > /dev/null 2>&1
}

# Whether a machine of this kind boots here; says why not.
can() {
  local said
  kind=$1
  if "${kind}_prepare" "$work" "$bin/spool_crash_child" && boot "try-$kind" "> $work/try-$kind/ready"; then
    cut_power
    return
  fi
  said=$(grep -aE 'ptrace|panic|rror|not found' "$work/try-$kind/console.log" 2> /dev/null | head -n 1)
  echo "power_cut.sh: $kind can't run on this machine: ${said:-$(tail -n 1 "$work/try-$kind/console.log" 2> /dev/null)}" >&2
  cut_power
  return 1
}

if [ -n "$kind" ]; then
  can "$kind" || exit 1
else
  can uml || can qemu || exit 1
fi
echo "power cuts of $kind"

for i in $(seq "$cuts"); do
  work_and_cut "full-$i" $((i * 37)) --clips $((10 * i))
  if ! "$bin/spool_crash_child" check "$work/full-$i/spool" "$work/full-$i/journal"; then
    echo "cut $i: the spool broke its promise" >&2
    exit 1
  fi
  echo "cut $i: $(grep -c committed "$work/full-$i/journal") clips committed before it, every promise kept"
done

for i in $(seq 5); do
  work_and_cut "normal-$i" $((i * 37)) --clips 15 --synchronous NORMAL
  if ! "$bin/spool_crash_child" check "$work/normal-$i/spool" "$work/normal-$i/journal" > "$work/lost"; then
    echo "negative control: synchronous=NORMAL loses, as it must: $(head -1 "$work/lost")"
    exit 0
  fi
done
echo "negative control: synchronous=NORMAL lost nothing in 5 cuts: this test proves nothing" >&2
exit 1
