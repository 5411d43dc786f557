#!/bin/sh
# Have a Chromium for the tests of the page: the one that is here, else Debian's, when we may install it.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
exec sh "$(dirname -- "$0")/debian.sh" chromium fonts-inter fonts-dejavu-core
