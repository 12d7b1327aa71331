#!/usr/bin/env bash
# rgw-up.sh [STATE_DIR]: start a one-node Ceph (monitor, OSD, RADOS gateway) on 127.0.0.1 with two S3 users.
# Needs root and Debian; installs Ceph's packages if they are missing. `. STATE_DIR/env` tells tests where it is,
# `down.sh STATE_DIR` stops it. Settings, by environment: see README.md.
set -euo pipefail

state=${1:-$(mktemp -d)}
mkdir -p "$state"
state=$(cd "$state" && pwd)
rgw_port=${RGW_PORT:-7480} mon_port=${MON_PORT:-13300}
osd_store=${OSD_STORE:-bluestore} osd_gib=${OSD_GIB:-12}
access_key=${ACCESS_KEY:-testkey} secret_key=${SECRET_KEY:-testsecret}
endpoint=http://127.0.0.1:$rgw_port

fail() {
  echo "rgw-up.sh: $1; see $state/log" >&2
  exit 1
}

# wait_for TENTHS WHAT COMMAND...
wait_for() {
  local tenths=$1 what=$2
  shift 2
  for _ in $(seq "$tenths"); do
    "$@" >/dev/null 2>&1 && return
    sleep .1
  done
  fail "$what did not come up"
}

start() {
  local name=$1
  shift
  "$@" >"$state/log/$name.out" 2>&1 </dev/null &
  echo "$! $name" >>"$state/pids"
}

if ! command -v radosgw >/dev/null || ! command -v ceph-osd >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    radosgw ceph-mon ceph-osd ceph-common curl >/dev/null
fi

mkdir -p "$state"/{mon,osd,run,log}
: >"$state/pids"
conf=$state/ceph.conf
fsid=$(cat /proc/sys/kernel/random/uuid)
cat >"$conf" <<CONF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$mon_port]
mon initial members = a
ms bind ipv6 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
run dir = $state/run
admin socket = $state/run/\$name.asok
log file = $state/log/\$name.log
mon cluster log file = $state/log/cluster.log
keyring = $state/keyring
debug ms = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 2
[mon.a]
mon data = $state/mon
[osd.0]
osd data = $state/osd
osd objectstore = $osd_store
memstore device bytes = $((osd_gib << 30))
bluestore block size = $((osd_gib << 30))
bluestore fsck on mount = false
osd memory target = 2147483648
osd class default list = *
osd class load list = *
[client.rgw]
# without tcp_nodelay each small GET waits 40 ms for a delayed acknowledgement
rgw frontends = beast endpoint=127.0.0.1:$rgw_port tcp_nodelay=1
rgw thread pool size = 64
rgw enable usage log = false
# what is deleted is freed at once instead of after two hours
rgw gc obj min wait = 1
rgw gc processor period = 3
rgw gc processor max time = 3
# a lifecycle day lasts this many seconds; 0: a real day
rgw lc debug interval = ${RGW_LC_DAY:-0}
# plain HTTP: allow SSE-C and SSE-KMS without TLS, with one fixed KMS key
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = testkey-1=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
${RGW_EXTRA:-}
CONF

monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$state/monmap" >/dev/null
# one keyring for every daemon; the monitor imports it when its store is made
ceph-authtool --create-keyring "$state/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
for name in client.admin client.rgw osd.0; do
  ceph-authtool "$state/keyring" --gen-key -n "$name" \
    --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' >/dev/null
done
ceph-mon -c "$conf" --mkfs -i a --monmap "$state/monmap" --keyring "$state/keyring"
start mon ceph-mon -c "$conf" -f -i a
wait_for 100 "the monitor" timeout 5 ceph -c "$conf" -s

osd_uuid=$(cat /proc/sys/kernel/random/uuid)
ceph -c "$conf" osd new "$osd_uuid" >/dev/null
ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd_uuid" >"$state/log/osd-mkfs.out" 2>&1
start osd ceph-osd -c "$conf" -f -i 0
osd_is_up() { ceph -c "$conf" osd stat | grep -q '1 up'; }
wait_for 300 "the OSD" osd_is_up

start rgw radosgw -c "$conf" -f -n client.rgw
wait_for 600 "the gateway" curl -s -o /dev/null "$endpoint/"
add_user() {
  radosgw-admin -c "$conf" -n client.rgw user create --uid="$1" --display-name="$1" \
    --access-key="$2" --secret-key="$3" >>"$state/log/users.out" 2>&1
}
add_user test "$access_key" "$secret_key"
# a stranger, to be refused
add_user other "${access_key}2" "${secret_key}2"

cat >"$state/env" <<ENV
export S3EP_TEST_ENDPOINT=$endpoint S3EP_TEST_REGION=us-east-1
export S3EP_TEST_ACCESS_KEY_ID=$access_key S3EP_TEST_SECRET_ACCESS_KEY=$secret_key
export AWS_ENDPOINT_URL=$endpoint AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=$access_key AWS_SECRET_ACCESS_KEY=$secret_key
ENV

# The first PUT makes RGW's pools, which takes seconds: here, rather than in a test.
s3() {
  local body=$1
  shift
  # curl signs S3's own hash header only if it is given
  curl -sf -o /dev/null --aws-sigv4 aws:amz:us-east-1:s3 --user "$access_key:$secret_key" \
    -H "x-amz-content-sha256: $(printf %s "$body" | sha256sum | cut -d' ' -f1)" \
    -H 'content-type: text/plain' --data-binary "$body" "$@"
}
s3 "" -X PUT "$endpoint/warm-up" && s3 x -X PUT "$endpoint/warm-up/x" || fail "the first PUT failed"
s3 "" -X DELETE "$endpoint/warm-up/x"
s3 "" -X DELETE "$endpoint/warm-up"
echo "Ceph RGW $(radosgw --version | cut -d' ' -f3) at $endpoint; . $state/env"
