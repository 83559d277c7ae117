#!/usr/bin/env bash
# Runs every test that this machine can run, and says what it left out and why.
# README.md beside it says what the parts are.
#
#   test/run.sh              all of them
#   test/run.sh go web       only these parts
#
# Each part ends with a line like go test's own, "ok" or "FAIL". The exit code is 1
# when a part failed; what this machine cannot run is no failure.
set -euo pipefail
cd "$(dirname "$0")/.."

# Kustomize can load plugins, which makes the linker keep every symbol and call another
# one; nobody here wants that.
export GOFLAGS="${GOFLAGS:-} -tags=kustomize_disable_go_plugin_support"

parts=(setup vet go race web browser kubernetes)
[ $# -gt 0 ] && parts=("$@")

# Where goroutines meet: these are tested again with the race detector.
race=(
  ./examples/shop
  ./internal/api/...
  ./internal/drive
  ./internal/load
  ./internal/metric
  ./internal/platform/host
  ./internal/router/...
  ./internal/stage
  ./internal/store
  ./internal/telemetry
  ./internal/worker
)

# What is tested again with a real Kubernetes; without being asked for, these skip it.
kubernetes=(
  ./internal/platform/kubernetes/...
  ./test/cluster/...
  ./test/kubernetes/...
  ./internal/drift
)

failed=()
left_out=()
leave_out() { left_out+=("$1: $2"); }

# part runs one part and prints how it ended.
part() {
  local name=$1 began=$SECONDS
  shift
  echo "=== $name"
  if "$@"; then
    printf 'ok  \t%s\t%ds\n' "$name" $((SECONDS - began))
  else
    printf 'FAIL\t%s\t%ds\n' "$name" $((SECONDS - began))
    failed+=("$name")
  fi
}

# npm_packages installs what the UI's tests need; once for all parts.
npm_packages() { make web/node_modules/.package-lock.json; }

setup() {
  test/setup.sh chromium prometheus postgresql nginx-light wrk gcc libc6-dev
  [ "$(id -u)" = 0 ] || leave_out "full disks" "mounting a small file system needs root"
  command -v prometheus >/dev/null || leave_out "real Prometheus" "there is no prometheus on this machine"
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null ||
    leave_out "PostgreSQL" "there is none on this machine"
  [ "$(uname)" = Linux ] || leave_out "processes by /proc" "this is not Linux"
}

vet() { part vet go vet ./...; }

go_tests() { part go go test -timeout 40m ./...; }

race_tests() {
  if [ "$(go env CGO_ENABLED)" != 1 ] || ! command -v "$(go env CC)" >/dev/null; then
    leave_out "race detector" "there is no C compiler on this machine"
    return
  fi
  part race go test -race -timeout 20m "${race[@]}"
}

web() {
  if ! command -v npm >/dev/null; then
    leave_out "web" "there is no npm on this machine"
    return
  fi
  part web/packages npm_packages
  part web/unit npm --prefix web run --silent test
}

browser() {
  if ! command -v npm >/dev/null; then
    leave_out "browser" "there is no npm on this machine"
    return
  fi
  if [ ! -x "${CHROMIUM:-/usr/bin/chromium}" ]; then
    leave_out "browser" "there is no Chromium here; CHROMIUM can name one"
    return
  fi
  part build make build
  part browser test/browser.sh
}

# kubernetes builds Kubernetes where it is not built yet, which two cores do in half an
# hour, once. One package after the other: each brings up clusters of its own.
kubernetes_tests() {
  local up said code=0
  up=$(mktemp)
  go build -o "$up" ./test/cluster/up
  said=$(mktemp)
  echo "=== kubernetes/build"
  "$up" -prepare 2> >(tee "$said" >&2) || code=$?
  case $code in
    0) FAIRWAY_TEST_CLUSTER=1 part kubernetes go test -count=1 -p 1 -parallel 6 -timeout 30m "${kubernetes[@]}" ;;
    3) leave_out "kubernetes" "$(tail -n 1 "$said")" ;;
    *) part kubernetes/build false ;;
  esac
  rm -f "$up" "$said"
}

for p in "${parts[@]}"; do
  case $p in
    setup) setup ;;
    vet) vet ;;
    go) go_tests ;;
    race) race_tests ;;
    web) web ;;
    browser) browser ;;
    kubernetes) kubernetes_tests ;;
    *)
      echo "There is no part $p; there are setup, vet, go, race, web, browser and kubernetes." >&2
      exit 2
      ;;
  esac
done

echo
for l in ${left_out[@]+"${left_out[@]}"}; do
  echo "left out: $l"
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "FAIL: ${failed[*]}"
  exit 1
fi
echo "PASS"
