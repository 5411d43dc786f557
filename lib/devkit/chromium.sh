#!/bin/sh
# Have a Chromium for the tests of the page: the one that is here, else Debian's, when we may install it.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if ! command -v apt-get >/dev/null 2>&1; then
    echo "There is no Chromium here: install one so that \`chromium\` is found on the PATH." >&2
    exit 1
fi
as=""
if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then as="sudo -n"; else
        echo "There is no Chromium here, and only root may install one: sudo apt-get install chromium fonts-inter" >&2
        exit 1
    fi
fi
printf '\033[2m· installing chromium\033[0m\n' >&2
$as apt-get update -qq >/dev/null
$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-inter fonts-dejavu-core >/dev/null
