#!/bin/bash
# Cuts the power while a spool is at work, and checks what is left.
#
#   power_cut.sh BIN_DIR [CUTS]
#
# user-mode-linux boots a kernel of its own as a process, on this machine's root, with a small ext4 disk for the spool. Killing that
# process is a power cut: what was only in its page cache is gone, what was synced is in the image. In there spool_crash_child
# works and writes its journal of promises to the host, where it survives. After the cut the image is repaired as a boot would
# repair it, the spool is copied out, and `spool_crash_child check` holds it against the journal.
#
# Then the negative control: the same with SQLite's synchronous=NORMAL must lose a clip whose commit had returned. If it doesn't,
# the test proves nothing and fails.
set -euo pipefail
bin=$(realpath "$1")
cuts=${2:-4}
for tool in linux mkfs.ext4 e2fsck debugfs; do
  PATH=$PATH:/usr/sbin:/sbin command -v "$tool" > /dev/null || { echo "power_cut.sh needs $tool" >&2; exit 1; }
done
export PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d "${TMPDIR:-/tmp}/gleaner-power-cut-XXXXXX")
machine=
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
  [ -z "$machine" ] || kill -9 -- -"$machine" 2> /dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

# cut NAME MILLISECONDS ARGUMENTS...: one boot, one cut that long after the child is ready. Leaves $work/NAME/spool and journal.
cut() {
  local dir=$work/$1 ms=$2
  shift 2
  mkdir -p "$dir/mnt"
  truncate -s 64M "$dir/disk.img"
  mkfs.ext4 -q -F "$dir/disk.img"
  cat > "$dir/init" << INIT
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc none /proc
mount -t ext4 /dev/ubdb $dir/mnt && $bin/spool_crash_child run $dir/mnt/spool $dir/journal --ready $dir/ready $* > $dir/child.log 2>&1
echo "ended by itself: \$?" >> $dir/child.log
sleep 600
INIT
  chmod +x "$dir/init"
  setsid linux ubdb="$dir/disk.img" root=/dev/root rootfstype=hostfs rootflags=/ rw mem=256M init="$dir/init" \
    con=null con0=null,fd:1 > "$dir/console.log" 2>&1 < /dev/null &
  machine=$!
  for _ in $(seq 1200); do
    [ ! -f "$dir/ready" ] || break
    kill -0 "$machine" 2> /dev/null || { tail -5 "$dir/console.log" >&2; echo "the machine did not boot" >&2; exit 1; }
    sleep 0.05
  done
  [ -f "$dir/ready" ] || { cat "$dir/child.log" >&2; echo "the child never got ready" >&2; exit 1; }
  sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
  kill -9 -- -"$machine"
  wait "$machine" 2> /dev/null || true
  machine=
  e2fsck -fy "$dir/disk.img" > "$dir/fsck.log" 2>&1 || [ $? -le 1 ]
  debugfs -R "rdump /spool $dir" "$dir/disk.img" > /dev/null 2>&1
}

for i in $(seq "$cuts"); do
  cut "full-$i" $((i * 37)) --clips $((10 * i))
  if ! "$bin/spool_crash_child" check "$work/full-$i/spool" "$work/full-$i/journal"; then
    echo "cut $i: the spool broke its promise" >&2
    exit 1
  fi
  echo "cut $i: $(grep -c committed "$work/full-$i/journal") clips committed before it, every promise kept"
done

for i in $(seq 5); do
  cut "normal-$i" $((i * 37)) --clips 15 --synchronous NORMAL
  if ! "$bin/spool_crash_child" check "$work/normal-$i/spool" "$work/normal-$i/journal" > "$work/lost"; then
    echo "negative control: synchronous=NORMAL loses, as it must: $(head -1 "$work/lost")"
    exit 0
  fi
done
echo "negative control: synchronous=NORMAL lost nothing in 5 cuts: this test proves nothing" >&2
exit 1
