#!/bin/sh
# Print the first Python that can run Parley: 3.12 or newer, 64 bit, with venv and pip.
# A candidate must work, not only exist: version managers leave commands behind that fail when called.

usable() {
    "$1" -c 'import ensurepip, ssl, sys, venv; sys.exit(not (sys.version_info >= (3, 12) and sys.maxsize > 2**32))' \
        >/dev/null 2>&1
}

seen=""
# HOME may be empty or somebody else's; the account knows its own.
home=$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6)
for candidate in \
    "$PYTHON" python3.14 python3.13 python3.12 python3 python \
    /usr/local/bin/python3 /opt/homebrew/bin/python3 /usr/bin/python3 \
    "$HOME"/.pyenv/versions/*/bin/python3 "$HOME"/.asdf/installs/python/*/bin/python3 \
    "$HOME"/.local/share/uv/python/*/bin/python3 "$HOME"/.local/share/mise/installs/python/*/bin/python3 \
    /opt/python/*/bin/python3 \
    "$home"/.pyenv/versions/*/bin/python3
do
    [ -n "$candidate" ] || continue
    path=$(command -v "$candidate" 2>/dev/null) || continue
    if usable "$path"; then
        printf '%s\n' "$path"
        exit 0
    fi
    seen="$seen
  $path: $("$path" -V 2>&1 | head -n 1)"
done

cat >&2 <<EOF
Parley needs Python 3.12 or newer (64 bit, with the modules venv and ssl), and found none.${seen:+
Found, but not usable:$seen}
To get one:
  Debian, Ubuntu   apt install python3 python3-venv   (Debian 13, Ubuntu 24.04 or newer)
  Fedora, RHEL     dnf install python3.12
  macOS            brew install python@3.13
  anywhere         uv python install 3.13
Or name one: make run PYTHON=/path/to/python3
EOF
exit 1
