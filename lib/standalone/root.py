"""The repository's root as a function: everything, started with the first request that parliament hands over."""

import os
from contextlib import ExitStack
from typing import Any

from parley.errors import Unavailable
from standalone.__main__ import Settings, assemble, main

__all__ = ["Everything", "Settings", "main"]


class Everything:
    """The handler of the root function: the front door, as one WSGI app within parliament's."""

    def __init__(self, chosen: Settings) -> None:
        self._stack = ExitStack()
        running = assemble(self._stack, chosen, {**os.environ, "BROKER_PORT": "0"})
        assert running.front, "all functions in one process"
        self._front = running.front

    def __call__(self, request: Any) -> Any:
        from werkzeug.wrappers import Response

        return Response.from_app(self._front, request.environ)

    def ready(self) -> None:
        """Raise Unavailable while one of the functions cannot work."""
        if reason := self._front.not_ready():
            raise Unavailable(reason)

    def close(self) -> None:
        """Stop everything."""
        self._stack.close()
