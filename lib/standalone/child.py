"""One function in a process of its own, which ends when the host that started it is gone."""

import os
import signal
import sys
import threading
from typing import Any

from parley import runtime, serve
from standalone.ingress import is_meant
from standalone.threads import SIGNALS


def watch(stream: int) -> None:
    """Wait until the host's end of the pipe is closed, then leave as for SIGTERM."""
    while os.read(stream, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def guarded(function: runtime.Function, app: serve.Wsgi) -> serve.Wsgi:
    """Take events only from who calls this machine by its name; what has a public door has its own guard."""
    if isinstance(function, runtime.HttpFunction):
        return app

    def meant(environ: dict[str, Any], start_response: Any) -> Any:
        if is_meant(environ):
            return app(environ, start_response)
        start_response("421 Misdirected Request", [("Content-Length", "0")])
        return []

    return meant


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=watch, args=(sys.stdin.fileno(),), daemon=True).start()
    serve.main(sys.argv[1], os.environ, guarded)
