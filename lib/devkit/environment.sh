#!/bin/sh
# Make an environment beside ours, once, of packages that are too heavy for it:
# sh lib/devkit/environment.sh lib/devkit/minilm.txt .build/minilm
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
uv=$here/../../.venv/bin/uv
wanted=$(cat "$1" | cksum)
[ "$(cat "$2/.installed" 2>/dev/null || true)" = "$wanted" ] && exit 0
printf '\033[2m· installing %s\033[0m\n' "$2" >&2
rm -rf "$2"
"$uv" venv --quiet --python "$here/../../.venv/bin/python" "$2"
"$uv" pip install --quiet --no-deps --python "$2/bin/python" -r "$1"
printf '%s\n' "$wanted" >"$2/.installed"
