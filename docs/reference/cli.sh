#!/usr/bin/env bash
# Prints docs/reference/cli.md from the help of the binary that is given.
set -euo pipefail
fairway=$1
export FAIRWAY_DATA_DIR='~/.local/state/fairway' # the default, as everybody reads it

# children lists the commands below the one that is given.
children() {
  "$fairway" "$@" --help | awk '/^Available Commands:/ {on = 1; next} /^$/ {on = 0} on && $1 != "help" && $1 != "completion" {print $1}'
}

# page prints the help of a command and of those below it.
page() {
  printf '\n## fairway%s\n\n```text\n' "${*:+ $*}"
  "$fairway" "$@" --help | sed '/^Global Flags:/,$d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
  printf '```\n'
  local child
  for child in $(children "$@"); do
    page "$@" "$child"
  done
}

cat <<'HEAD'
# The command line

This page is made from `fairway --help` by `make generate`. Every command takes
`--server`, `--token` and `-o json`; `fairway completion --help` says how to complete
commands in your shell.
HEAD
page
