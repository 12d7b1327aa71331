#!/usr/bin/env bash
# The fuzzer's engine is built against glibc 2.38. Where the system has an older one, as Debian 12 has, this fetches
# Debian 13's, checked by apt against Debian's keys, into DIR; nothing of it is installed.
#   libc.sh DIR
set -euo pipefail
mkdir -p "$1"
cd "$1"
mkdir -p lists/partial cache/archives/partial
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main" >sources.list
options=(-q -o "Dir::Etc::sourcelist=$PWD/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$PWD/lists"
  -o "Dir::Cache=$PWD/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root)
apt-get "${options[@]}" update
apt-get "${options[@]}" download libc6/trixie libstdc++6/trixie libgcc-s1/trixie
for package in ./*.deb; do dpkg-deb -x "$package" root; done
rm -rf lists cache ./*.deb
