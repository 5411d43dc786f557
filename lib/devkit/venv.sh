#!/bin/sh
# Make .venv and install the given requirement files under constraints.txt; again only when one of them has changed.
#   sh lib/devkit/venv.sh requirements.txt [tests/requirements.txt]
set -eu
UV=0.13.9 # installs in seconds what pip takes minutes for; pip does it when uv cannot be had

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
: "${HOME:=/nonexistent}"
export HOME
venv=.venv
stamp=$venv/.installed

if command -v flock >/dev/null 2>&1 && [ "${PARLEY_VENV_LOCKED:-}" != 1 ]; then
    PARLEY_VENV_LOCKED=1 exec flock .venv.lock sh "$0" "$@"
fi

say() { printf '\033[2m· %s\033[0m\n' "$*" >&2; }

# Each file that is installed, under these constraints: what is installed for the tests serves for running, too.
wanted=$(for file in "$@"; do printf '%s %s\n' "$file" "$(cat constraints.txt "$file" | cksum)"; done)
if [ -x $venv/bin/python ] && [ -f $stamp ] && [ -z "$(printf '%s\n' "$wanted" | grep -vxF -f $stamp)" ]; then
    exit 0
fi

if ! $venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then
    python=$(sh lib/devkit/find_python.sh)
    say "making .venv with $("$python" -V) ($python)"
    rm -rf $venv
    "$python" -m venv $venv
fi

files=""
for file in "$@"; do files="$files -r $file"; done
if ! $venv/bin/uv --version >/dev/null 2>&1; then
    say "installing uv"
    $venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV" || say "no uv: pip takes longer"
fi
say "installing $*"
# shellcheck disable=SC2086 # one word for each file
$venv/bin/uv pip install --quiet --python $venv/bin/python --compile-bytecode -c constraints.txt $files ||
    $venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $files
for packages in $venv/lib/python3*/site-packages; do printf '%s\n' "$root/lib" >"$packages/parley.pth"; done
cat >$venv/bin/parley <<END
#!/bin/sh
PYTHONPATH='$root/lib' exec '$root/$venv/bin/python' -m parley.cli "\$@"
END
chmod +x $venv/bin/parley
printf '%s\n' "$wanted" >$stamp
