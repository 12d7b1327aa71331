#!/usr/bin/env bash
# swift-up.sh [STATE_DIR]: start a one-node OpenStack Swift with its S3 API on 127.0.0.1.
# Needs root and Debian; installs Swift's packages if they are missing. `. STATE_DIR/env` tells tests where it is,
# `down.sh STATE_DIR` stops it. Settings, by environment: see README.md.
set -euo pipefail

state=${1:-$(mktemp -d)}
mkdir -p "$state"
state=$(cd "$state" && pwd)
port=${SWIFT_PORT:-8080} base_port=${BASE_PORT:-16200}
endpoint=http://127.0.0.1:$port

start() {
  local name=$1
  shift
  "$@" >"$state/log/$name.out" 2>&1 </dev/null &
  echo "$! $name" >>"$state/pids"
}

if ! command -v swift-proxy-server >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    swift-proxy swift-account swift-container swift-object memcached curl >/dev/null
fi

# Metadata lives in extended attributes, which ext4 limits to one block: the device is a tmpfs (kernel 6.6 or newer).
mkdir -p "$state/dev"
[ -n "${SWIFT_ON_DISK:-}" ] || mountpoint -q "$state/dev" ||
  mount -t tmpfs -o "size=${SWIFT_GIB:-12}G" tmpfs "$state/dev"
mkdir -p "$state"/{dev/d1,log,run,ring,cache}
: >"$state/pids"

cat >"$state/ring/swift.conf" <<CONF
[swift-hash]
swift_hash_path_suffix = test
swift_hash_path_prefix = test
[storage-policy:0]
name = one
default = yes
[swift-constraints]
max_file_size = 5368709122
max_meta_value_length = 2048
max_meta_overall_size = 4096
CONF

offset=0
for type in account container object; do
  offset=$((offset + 1))
  type_port=$((base_port + offset))
  swift-ring-builder "$state/ring/$type.builder" create 4 1 1 >/dev/null
  swift-ring-builder "$state/ring/$type.builder" add "r1z1-127.0.0.1:$type_port/d1" 1 >/dev/null
  swift-ring-builder "$state/ring/$type.builder" rebalance >/dev/null
  cat >"$state/$type.conf" <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $type_port
user = root
swift_dir = $state/ring
devices = $state/dev
mount_check = false
disable_fallocate = true
workers = $([ "$type" = object ] && echo 2 || echo 1)
log_level = WARNING
log_address = $state/log/none
recon_cache_path = $state/cache
[pipeline:main]
pipeline = $type-server
[app:$type-server]
use = egg:swift#$type
replication_server = true
[$type-replicator]
[container-updater]
[object-updater]
[object-expirer]
CONF
done

cat >"$state/proxy.conf" <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
user = root
swift_dir = $state/ring
workers = 2
log_level = WARNING
log_address = $state/log/none
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$((base_port + 9))
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
allow_multipart_uploads = true
max_upload_part_num = 10000
max_parts_listing = 1000
check_bucket_owner = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_other_tester = testing2 .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
max_manifest_size = 33554432
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
allow_versioned_writes = true
[filter:symlink]
use = egg:swift#symlink
CONF

start memcached memcached -u root -l 127.0.0.1 -p $((base_port + 9)) -m 64
for type in account container object; do
  start "$type" "swift-$type-server" "$state/$type.conf"
done
start proxy swift-proxy-server "$state/proxy.conf"
for _ in $(seq 300); do
  curl -sf -o /dev/null "$endpoint/healthcheck" && break
  sleep .1
done
curl -sf -o /dev/null "$endpoint/healthcheck" || {
  echo "swift-up.sh: the proxy did not come up; see $state/log" >&2
  exit 1
}

cat >"$state/env" <<ENV
export S3EP_TEST_ENDPOINT=$endpoint S3EP_TEST_REGION=us-east-1
export S3EP_TEST_ACCESS_KEY_ID=test:tester S3EP_TEST_SECRET_ACCESS_KEY=testing
export S3EP_TEST_SSE_C=no S3EP_TEST_OBJECT_LOCK=no
export AWS_ENDPOINT_URL=$endpoint AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=test:tester AWS_SECRET_ACCESS_KEY=testing
ENV
echo "Swift $(dpkg-query -W -f '${Version}' swift-proxy) at $endpoint; . $state/env"
