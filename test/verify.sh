#!/usr/bin/env bash
# Checks that what is made from something else was made again when that changed.
# It changes nothing; `make generate`, `make fmt` and `go mod tidy` mend what it finds.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d "${TMPDIR:-/tmp}/fairway-verify.XXXXXX")
trap 'rm -rf "$dir"' EXIT
result=0

# check NAME REMEDY COMMAND: the command must succeed and print nothing.
check() {
  local name=$1 remedy=$2
  shift 2
  if "$@" >"$dir/said" 2>&1 && [ ! -s "$dir/said" ]; then
    printf 'ok  \tverify/%s\n' "$name"
    return
  fi
  head -n 40 "$dir/said"
  printf 'FAIL\tverify/%s\t(%s)\n' "$name" "$remedy"
  result=1
}

same() { diff -u "$1" "$2"; }

formatted() { git ls-files -z '*.go' | xargs -0 gofmt -l; }
schema() { go test ./internal/pipeline/gen >"$dir/schema" 2>&1 || cat "$dir/schema"; }
openapi() { "$dir/fairway" openapi >"$dir/openapi.json" && same web/src/api/openapi.json "$dir/openapi.json"; }
cli() { docs/reference/cli.sh "$dir/fairway" >"$dir/cli.md" && same docs/reference/cli.md "$dir/cli.md"; }
ui_types() {
  (cd web && node_modules/.bin/openapi-typescript src/api/openapi.json -o "$dir/schema.ts") >/dev/null 2>&1
  same web/src/api/schema.ts "$dir/schema.ts"
}

check gofmt "make fmt" formatted
check go.mod "go mod tidy" go mod tidy -diff
check schema "make generate" schema
go build -o "$dir/fairway" ./cmd/fairway
check openapi "make generate" openapi
check cli "make generate" cli
check ui-types "make generate" ui_types
exit $result
