#!/bin/sh
# Have a Prometheus with its promtool: the one that is here, else Debian's, when we may install it.
set -eu

if command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1; then exit 0; fi
exec sh "$(dirname -- "$0")/debian.sh" prometheus
