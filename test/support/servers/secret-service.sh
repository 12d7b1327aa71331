#!/usr/bin/env bash
# Run a command where there is a keychain: secret-service.sh COMMAND [ARGUMENT...]
#
# A D-Bus session of its own, and in it gnome-keyring, whose keychain lies in a new home, is unlocked with a password
# that does not matter, and goes when the command ends. Nothing of the user's session is touched.
set -euo pipefail

if [ "${1-}" != --inside ]; then
  home=$(mktemp -d)
  trap 'rm -rf "$home"' EXIT
  mkdir -m 700 "$home/run" "$home/data"
  # A D-Bus that finds no address starts its own; one that inherits the user's would ask their keychain.
  env -u DBUS_SESSION_BUS_ADDRESS -u GNOME_KEYRING_CONTROL -u DISPLAY \
    XDG_RUNTIME_DIR="$home/run" XDG_DATA_HOME="$home/data" \
    dbus-run-session -- "$0" --inside "$@"
  exit
fi
shift
# Without a password it would ask for one, and nobody is there.
printf 'test' | gnome-keyring-daemon --unlock --components=secrets >"$XDG_RUNTIME_DIR/keyring.log" 2>&1
"$@"
