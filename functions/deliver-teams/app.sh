#!/bin/sh
exec python -m parley.serve "$(dirname "$0")"
