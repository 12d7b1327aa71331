#!/usr/bin/env bash
# down.sh STATE_DIR: stop what rgw-up.sh or swift-up.sh started there, by the recorded process ids, and remove the
# directory. KEEP=1 leaves it, with its logs.
set -u

[ -d "${1:?usage: down.sh STATE_DIR}" ] || exit 0
state=$(cd "$1" && pwd)
# nothing was started here, so nothing here is ours to remove
[ -f "$state/pids" ] || exit 0

any_alive() {
  local pid
  while read -r pid _; do kill -0 "$pid" 2>/dev/null && return 0; done <"$state/pids"
  return 1
}

# the last one started goes first: the gateway before the store it writes to
tac "$state/pids" | while read -r pid _; do kill "$pid" 2>/dev/null; done
for _ in $(seq 50); do
  any_alive || break
  sleep .1
done
while read -r pid _; do kill -9 "$pid" 2>/dev/null; done <"$state/pids"
if mountpoint -q "$state/dev"; then umount "$state/dev" || umount -l "$state/dev"; fi
[ -n "${KEEP:-}" ] || rm -rf "$state"
true
