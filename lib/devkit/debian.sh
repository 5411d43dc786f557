#!/bin/sh
# Install packages of Debian's, when we may, else say why not: sh lib/devkit/debian.sh chromium fonts-inter
# The first one is what is missing here; whoever calls has looked for it.
set -eu

if ! command -v apt-get >/dev/null 2>&1; then
    echo "There is no $1 here: install it so that its programs are found on the PATH." >&2
    exit 1
fi
as=""
if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then as="sudo -n"; else
        echo "There is no $1 here, and only root may install it: sudo apt-get install $*" >&2
        exit 1
    fi
fi
printf '\033[2m· installing %s\033[0m\n' "$1" >&2
$as apt-get update -qq >/dev/null
$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
