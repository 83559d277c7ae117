#!/usr/bin/env bash
# Runs the demo and, while it is left running, the UI's tests in a real browser
# against it; then ends the demo and looks at what it says came of the releases.
# It needs bin/ from `make build`, npm packages and a Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d "${TMPDIR:-/tmp}/fairway-browser.XXXXXX")
demo=
cleanup() {
  if [ -n "$demo" ] && kill -0 "$demo" 2>/dev/null; then
    kill -INT "$demo" 2>/dev/null || true
    wait "$demo" || true
  fi
  rm -rf "$dir"
}
trap cleanup EXIT

# -m gives the demo a process group of its own; without it, a shell starts what
# runs in the background with SIGINT ignored.
set -m
bin/fairway demo --keep -o json --data-dir "$dir/data" --listen 127.0.0.1:0 >"$dir/out" 2>&1 &
demo=$!
set +m

# The demo takes two to three minutes; a machine under load may need longer.
waited=0
until grep -q '^Ctrl-C ends it' "$dir/out"; do
  if ! kill -0 "$demo" 2>/dev/null || [ $waited -ge 600 ]; then
    cat "$dir/out"
    echo "The demo did not come to its end."
    exit 1
  fi
  sleep 1
  waited=$((waited + 1))
done

FAIRWAY_URL=$(sed -n 's/^  export FAIRWAY_SERVER=\([^ ]*\).*/\1/p' "$dir/out")
FAIRWAY_TOKEN=$(cat "$dir/data/admin-token")
export FAIRWAY_URL FAIRWAY_TOKEN
result=0
npm --prefix web run --silent e2e || result=1

kill -INT "$demo"
wait "$demo" || { echo "The demo ended with code $?."; result=1; }
demo=
summary=$(tail -n 1 "$dir/out")
echo "$summary"
node -e '
  const s = JSON.parse(process.argv[1])
  const want = { promoted: "v2", rolledBack: "v3", failed: "v4", failedByDeploys: "0", ledgerVerified: "true" }
  for (const [key, value] of Object.entries(want)) {
    if (String(s[key]) !== value) { console.log(`the demo says ${key}: ${s[key]}, want ${value}`); process.exitCode = 1 }
  }
' "$summary" || { cat "$dir/out"; result=1; }
exit $result
