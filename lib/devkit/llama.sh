#!/bin/sh
# Make the environment of a real Llama Stack server, once: sh lib/devkit/llama.sh .build/llama-stack
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
uv=$here/../../.venv/bin/uv
wanted=$(cat "$here/llama.txt" | cksum)
[ "$(cat "$1/.installed" 2>/dev/null || true)" = "$wanted" ] && exit 0
printf '\033[2m· installing a Llama Stack server into %s\033[0m\n' "$1" >&2
rm -rf "$1"
"$uv" venv --quiet --python "$here/../../.venv/bin/python" "$1"
"$uv" pip install --quiet --no-deps --python "$1/bin/python" -r "$here/llama.txt"
printf '%s\n' "$wanted" >"$1/.installed"
