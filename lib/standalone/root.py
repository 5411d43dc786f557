"""
The repository's root as a function.

`python func.py` serves everything. Plain parliament (`python -m parliament .`) hands over `/` only, where it takes
events and shows the state of the broker, and starts everything with the first of them; the rest is 404 there.
"""

import os
from contextlib import ExitStack
from typing import Any

from parley.errors import Unavailable
from standalone.__main__ import Settings, assemble, main, settle
from standalone.ingress import STATS

__all__ = ["Everything", "Settings", "main"]


class Everything:
    """The handler of the root function: the front door at `/`, as one WSGI app within parliament's."""

    def __init__(self, _: Settings) -> None:
        # Settled anew: what parliament gives lacks config/local.env. And its one port leaves the broker's to chance.
        chosen, env = settle({**os.environ, "BROKER_PORT": "0"})
        with ExitStack() as stack:
            running = assemble(stack, chosen, env)
            assert running.front, "all functions in one process"
            self._front = running.front
            self._stack = stack.pop_all()

    def __call__(self, request: Any) -> Any:
        from werkzeug.wrappers import Response

        environ = request.environ
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):  # the page would not find its files here
            environ = {**environ, "PATH_INFO": STATS}
        return Response.from_app(self._front, environ)

    def ready(self) -> None:
        """Raise Unavailable while one of the functions cannot work."""
        if reason := self._front.not_ready():
            raise Unavailable(reason)

    def close(self) -> None:
        """Stop everything."""
        self._stack.close()
