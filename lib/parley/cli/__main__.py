"""`python -m parley.cli` is the command `parley`."""

import sys

from parley.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
