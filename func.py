"""
parley: the whole of it as one function, behind a local broker of its own.

Takes what people and programs send (`/slack/…`, `/api/…`), and any event at `/`; plain parliament hands over `/` only.
Gives answers, as its parts do. For development and small installations: one instance, with a DATABASE_URL.
"""

import os
import sys
from pathlib import Path

from parliament import Context

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))

from parley import runtime
from standalone import root

function = runtime.http_function("parley", config=root.Settings, build=root.Everything)


def main(context: Context) -> runtime.Response:
    return function(context)


if __name__ == "__main__":
    sys.exit(root.main(sys.argv[1:], os.environ))
