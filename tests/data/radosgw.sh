#!/bin/bash
# radosgw.sh FOLDER S3_PORT MONITOR_PORT [memory|disk]: a Ceph cluster of one monitor and one object store, with its S3 gateway on
# 127.0.0.1:S3_PORT, for tests. The store keeps its objects in memory, or in a file of FOLDER, which then must be on a disk (O_DIRECT).
# Everything it writes is under FOLDER. Says "ready" on standard output once the gateway answers, and runs until its standard input
# ends; then all of it is killed. A line "kill" there kills all of it at once (of a store in memory the gateway alone), and says
# "killed"; a line "start" starts on what is left of it, and says "ready". Exit status 3 where Ceph is not installed.
#
# Its user: access key `gleaner`, secret `gleaner-secret`.
set -euo pipefail

folder=$1 s3_port=$2 monitor_port=$3 kept_in=${4:-memory}
for program in ceph-mon ceph-osd radosgw radosgw-admin ceph-authtool monmaptool; do
  command -v "$program" >/dev/null || {
    echo "$program is not installed" >&2
    exit 3
  }
done

id=$(cat /proc/sys/kernel/random/uuid)
config=$folder/ceph.conf
log=$folder/log
keyring=$folder/keyring
mkdir -p "$folder"/{mon,osd,gateway}
case $kept_in in
  memory) objects=$'osd objectstore = memstore\nmemstore device bytes = 4294967296' ;;
  disk) objects=$'osd objectstore = bluestore\nbluestore block size = 8589934592\nbluestore cache autotune = false\nbluestore cache size = 67108864' ;;
esac
# cephx: without authentication the gateway hangs as it starts.
cat >"$config" <<END
[global]
fsid = $id
mon host = [v2:127.0.0.1:$monitor_port]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = $keyring
run dir = $folder
admin socket = $folder/\$name.asok
pid file =
log file = $folder/\$name.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
# How long a store that was killed is waited for, by itself: 20 s times this.
osd pool default read lease ratio = 0.05
paxos propose interval = 0.1
objecter tick interval = 0.5
objecter timeout = 1
mon client hunt interval = 0.5
mon allow pool size one = true
mon max pg per osd = 1000
mon data = $folder/mon
osd data = $folder/osd
$objects
rgw data = $folder/gateway
rgw frontends = beast endpoint=127.0.0.1:$s3_port
rgw enable usage log = false
END

exec 2>>"$log"  # also what bash says of those that it kills
declare -A running=()
kill_all() {
  ((${#running[@]} == 0)) || kill -KILL "${running[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  running=()
}
trap kill_all EXIT
# Goes with this script, however that ends.
run() {
  setpriv --pdeathsig KILL "$@" >>"$log" 2>&1 </dev/null &
  running[$1]=$!
}
start_monitor() { run ceph-mon -c "$config" -i a -f; }
start_store() { run ceph-osd -c "$config" -i 0 -f; }
start_gateway() { run radosgw -c "$config" -n client.gateway -f; }
until_it_answers() {
  until (exec 3<>"/dev/tcp/127.0.0.1/$s3_port") 2>/dev/null; do
    kill -0 "${running[radosgw]}"
    sleep 0.1
  done
}
ceph_() { timeout 60 ceph -c "$config" "$@" 2>>"$log"; }

{
  ceph-authtool --create-keyring "$keyring" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *'
  monmaptool --create --clobber --fsid "$id" --addv a "[v2:127.0.0.1:$monitor_port]" "$folder/monmap"
  ceph-mon -c "$config" -i a --mkfs --monmap "$folder/monmap" --keyring "$keyring"
} >>"$log" 2>&1
start_monitor
osd=$(cat /proc/sys/kernel/random/uuid)
ceph_ osd new "$osd" >>"$log"
ceph_ auth get-or-create osd.0 mon 'allow profile osd' osd 'allow *' >>"$keyring"
ceph_ auth get-or-create client.gateway mon 'allow rwx' osd 'allow rwx' >>"$keyring"
ceph-osd -c "$config" -i 0 --mkfs --osd-uuid "$osd" >>"$log" 2>&1
start_store
ceph_ osd crush add osd.0 1.0 root=default host=localhost >>"$log"
start_gateway
timeout 60 radosgw-admin -c "$config" user create --uid=gleaner --display-name=gleaner --access-key=gleaner \
  --secret-key=gleaner-secret >>"$log" 2>&1
until_it_answers
echo ready
while read -r word; do
  case $kept_in-$word in
    disk-kill)
      kill_all
      echo killed
      ;;
    memory-kill)
      kill -KILL "${running[radosgw]}"
      wait "${running[radosgw]}" 2>/dev/null || true
      echo killed
      ;;
    *-start)
      if [[ $kept_in == disk ]]; then
        start_monitor
        start_store
      fi
      start_gateway
      until_it_answers
      echo ready
      ;;
  esac
done
