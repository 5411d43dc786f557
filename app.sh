#!/bin/sh
exec python "$(dirname "$0")/func.py"
