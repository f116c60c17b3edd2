# For power_cut.sh: QEMU as the machine, with Debian's kernel and nothing but the program in memory. It emulates the processor, so it runs
# wherever a program does, and slowly.
#
# What the guest wrote and didn't sync is in the guest's page cache, and gone with it when QEMU is killed. What it synced has left the guest:
# QEMU wrote it to the image. (What a disk's own cache loses is not tried here: the host's page cache survives.)
# shellcheck shell=bash disable=SC2034,SC2154

# In the order in which each finds what it needs; a kernel may have some built in.
qemu_modules=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk crc16 crc32c_generic mbcache
  jbd2 ext4 netfs fscache 9pnet 9pnet_virtio 9p)

# qemu_prepare WORK PROGRAM: a kernel and an initial file system that holds PROGRAM and its libraries, in WORK.
qemu_prepare() {
  local work=$1 program=$2 root=$1/initial kernel name file n=10
  if [ "$(uname -m)" != x86_64 ] || ! command -v qemu-system-x86_64 busybox >/dev/null; then
    echo "power_cut.sh: QEMU needs an x86-64 machine, qemu-system-x86 and busybox-static" >&2
    return 1
  fi
  kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
  mkdir -p "$work/kernel" "$root"/{bin,proc,dev,modules,disk,"$(dirname "$program")"}
  if ! (cd "$work/kernel" && apt-get -q download "$kernel" >"$work/kernel.log" 2>&1 && dpkg-deb --extract ./*.deb .); then
    tail -n 3 "$work/kernel.log" >&2
    echo "power_cut.sh: no kernel for QEMU (apt-get download linux-image-amd64)" >&2
    return 1
  fi
  cp "$work"/kernel/boot/vmlinuz-* "$work/vmlinuz"
  for name in "${qemu_modules[@]}"; do
    file=$(find "$work/kernel/lib/modules" -name "$name.ko" -o -name "$name.ko.xz")
    if [ -n "$file" ]; then cp "$file" "$root/modules/$((n++))-${file##*/}"; fi
  done
  rm -r "$work/kernel"
  cp "$(command -v busybox)" "$root/bin/busybox"
  cp "$program" "$root$program"
  for file in $(ldd "$program" | grep -oE '/[^ ]+'); do
    mkdir -p "$root$(dirname "$file")"
    cp -L "$file" "$root$file"
  done
  cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
folder=$(sed 's/.*folder=\([^ ]*\).*/\1/' /proc/cmdline)
mkdir -p $folder
# What is written there is on the host when write() returns: no cache in between.
mount -t 9p -o trans=virtio,version=9p2000.L,cache=none host $folder
mount -t ext4 /dev/vda /disk
disk=/disk; . $folder/work
INIT
  chmod +x "$root/init"
  (cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd"
  rm -r "$root"
}

# qemu_start DIR: boots on DIR/disk.img and runs DIR/work in it. Its process group is $machine.
qemu_start() {
  setsid qemu-system-x86_64 -accel tcg -cpu max -m 512 -smp 1 -nographic -no-reboot -nodefaults -serial stdio \
    -kernel "$work/vmlinuz" -initrd "$work/initrd" -append "console=ttyS0 quiet panic=-1 folder=$1" \
    -drive "file=$1/disk.img,if=virtio,format=raw,cache=writeback" \
    -virtfs "local,path=$1,mount_tag=host,security_model=none" >"$1/console.log" 2>&1 </dev/null &
  machine=$!
}
