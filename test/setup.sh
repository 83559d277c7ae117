#!/usr/bin/env bash
# Installs the Debian packages that are given, where this machine is a Debian and
# we are root; elsewhere it says what is missing and goes on.
#
#   test/setup.sh chromium prometheus
set -euo pipefail

# have tells whether what a package is wanted for is there, however it got there.
have() {
  case $1 in
    chromium) [ -x "${CHROMIUM:-/usr/bin/chromium}" ] ;;
    nginx-light) command -v nginx || [ -x /usr/sbin/nginx ] ;;
    postgresql) command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' ;;
    iproute2) command -v ip ;;
    nftables) command -v nft ;;
    containernetworking-plugins) [ -x /usr/lib/cni/ptp ] || [ -x /opt/cni/bin/ptp ] ;;
    libc6-dev) [ -e /usr/include/stdlib.h ] || [ "$(uname)" != Linux ] ;;
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

missing=()
for package in "$@"; do
  have "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "Not installed: ${missing[*]} (this needs root on a Debian)."
  exit 0
fi

# A package's server must not be started by its installation: the tests start
# their own, on free ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod +x $policy
  trap 'rm -f $policy' EXIT
fi

echo "Installing ${missing[*]} ..."
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
  tail -n 20 "$log"
  echo "Not installed: ${missing[*]} (see above)."
fi
rm -f "$log"
