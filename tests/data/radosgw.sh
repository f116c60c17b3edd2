#!/bin/bash
# radosgw.sh FOLDER S3_PORT MONITOR_PORT: a Ceph cluster of one monitor and one object store in memory, with its S3 gateway
# on 127.0.0.1:S3_PORT, for tests. Everything it writes is under FOLDER. Says "ready" on standard output once the gateway
# answers, and runs until its standard input ends; then all of it is killed. Exit status 3 where Ceph is not installed.
#
# Its user: access key `gleaner`, secret `gleaner-secret`.
set -euo pipefail

folder=$1 s3_port=$2 monitor_port=$3
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
mon allow pool size one = true
mon max pg per osd = 1000
mon data = $folder/mon
osd data = $folder/osd
osd objectstore = memstore
memstore device bytes = 4294967296
rgw data = $folder/gateway
rgw frontends = beast endpoint=127.0.0.1:$s3_port
rgw enable usage log = false
END

children=()
stop() {
  ((${#children[@]} == 0)) || kill -KILL "${children[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
}
trap stop EXIT
# Goes with this script, however that ends.
run() {
  setpriv --pdeathsig KILL "$@" >>"$log" 2>&1 </dev/null &
  children+=($!)
}
ceph_() { timeout 60 ceph -c "$config" "$@" 2>>"$log"; }

{
  ceph-authtool --create-keyring "$keyring" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *'
  monmaptool --create --clobber --fsid "$id" --addv a "[v2:127.0.0.1:$monitor_port]" "$folder/monmap"
  ceph-mon -c "$config" -i a --mkfs --monmap "$folder/monmap" --keyring "$keyring"
} >>"$log" 2>&1
run ceph-mon -c "$config" -i a -f
osd=$(cat /proc/sys/kernel/random/uuid)
ceph_ osd new "$osd" >>"$log"
ceph_ auth get-or-create osd.0 mon 'allow profile osd' osd 'allow *' >>"$keyring"
ceph_ auth get-or-create client.gateway mon 'allow rwx' osd 'allow rwx' >>"$keyring"
ceph-osd -c "$config" -i 0 --mkfs --osd-uuid "$osd" >>"$log" 2>&1
run ceph-osd -c "$config" -i 0 -f
ceph_ osd crush add osd.0 1.0 root=default host=localhost >>"$log"
run radosgw -c "$config" -n client.gateway -f
timeout 60 radosgw-admin -c "$config" user create --uid=gleaner --display-name=gleaner --access-key=gleaner \
  --secret-key=gleaner-secret >>"$log" 2>&1
until (exec 3<>"/dev/tcp/127.0.0.1/$s3_port") 2>/dev/null; do
  kill -0 "${children[2]}"
  sleep 0.1
done
echo ready
cat >/dev/null
