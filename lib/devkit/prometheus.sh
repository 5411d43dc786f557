#!/bin/sh
# Have a Prometheus with its promtool: the one that is here, else Debian's, when we may install it.
set -eu

if command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1; then exit 0; fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "There is no Prometheus here: install one so that \`prometheus\` and \`promtool\` are found on the PATH." >&2
    exit 1
fi
as=""
if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then as="sudo -n"; else
        echo "There is no Prometheus here, and only root may install one: sudo apt-get install prometheus" >&2
        exit 1
    fi
fi
printf '\033[2m· installing prometheus\033[0m\n' >&2
$as apt-get update -qq >/dev/null
$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null
