"""
The server of one function: parliament's Flask app, the function's other paths, a drain that cuts nothing.

`python -m parley.serve FOLDER` is what the Procfile starts. parliament itself listens on 8080 only, answers readiness
without asking, runs four threads and cuts what runs longer than five seconds after SIGTERM; the same function still
works under `python -m parliament FOLDER`, within those limits.
"""

import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import parliament.server
import waitress.server

from parley import config, logs, runtime
from parley.errors import Misconfigured, Unavailable
from parley.runtime import Function

log = logging.getLogger("parley.serve")


@dataclass(frozen=True)
class Server:
    """How to listen. `threads` is two above containerConcurrency, so that health checks always find one."""

    port: int = 8080
    address: str = "0.0.0.0"  # noqa: S104 - a container's only interface
    threads: int = 8
    log_level: logs.Level = "INFO"
    drain_seconds: float = 280.0


class Gate:
    """Counts the requests in flight, and says when no more should be sent here."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._changed = threading.Condition()
        self._in_flight = 0
        self.closing = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self.closing and environ["PATH_INFO"] == "/health/readiness":
            start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"draining"]
        with self._changed:
            self._in_flight += 1
        try:
            return self._app(environ, start_response)
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Wait until nothing is in flight, at most `seconds`. Returns whether that was reached."""
        with self._changed:
            return self._changed.wait_for(lambda: self._in_flight == 0, seconds)


def application(function: Function) -> Any:
    """Give the Flask app of a function: parliament's, with honest readiness and the function's own paths."""
    app = parliament.server.create(_Main(function))
    app.view_functions["readiness"] = lambda: _readiness(function)
    function.routes(app)
    return app


def main(folder: str, env: Mapping[str, str]) -> None:
    """Serve the function in `folder` until SIGTERM. Exits with 2 and one line when a setting is wrong."""
    gc.disable()  # imports make garbage that is not worth looking for
    try:
        server = config.load(Server, env)
        logs.start(server.log_level)
        sys.path.insert(0, os.path.realpath(folder))  # parliament only appends, and `func` may be there twice
        function = parliament.server.load(folder).function
        app = application(function)
        gc.collect()
        gc.freeze()
        gc.enable()
        run(app, server, function.close)
    except Misconfigured as error:
        sys.exit(_refuse(str(error)))


def run(
    app: Callable[..., Iterable[bytes]],
    server: Server,
    close: Callable[[], None],
    listening: Callable[[], None] = lambda: None,
) -> None:
    """
    Listen until SIGTERM or SIGINT, then finish what is in flight. `listening` is called when the port is open.

    Raises Misconfigured when the port cannot be had.
    """
    gate = Gate(app)

    def leave(*_: object) -> None:
        gate.closing = True
        runtime.leaving.set()
        signal.signal(signal.SIGTERM, ignore)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # KeyboardInterrupt is what ends waitress' loop
        threading.Thread(target=_drain, args=(gate, server.drain_seconds), daemon=True).start()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    opened = listen(
        gate,
        "PORT",
        server.address,
        server.port,
        threads=server.threads,
        connection_limit=1000,
        max_request_body_size=2 << 20,
        channel_timeout=620,
    )
    log.info("listening", extra={"fields": {"port": server.port, "threads": server.threads}})
    try:
        with contextlib.suppress(KeyboardInterrupt):  # a signal may come before waitress looks out for it
            listening()
            opened.run()
    finally:
        signal.signal(signal.SIGINT, ignore)  # nobody's impatience cuts the end
        close()
    log.info("stopped")


def listen(app: Any, setting: str, address: str, port: int, **options: Any) -> Any:
    """Open a port for an app; gives waitress' server. Raises Misconfigured that names the port's setting."""
    if port > 65535:
        raise Misconfigured(f"{setting}: must be at most 65535")
    try:
        return waitress.server.create_server(
            app, host=address, port=port, ident=None, asyncore_use_poll=True, **options
        )
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{setting}: cannot listen at {address}:{port}: {error}") from None


def ignore(*_: object) -> None:
    """Take a signal without a word. SIG_IGN would not do: Python complains of a signal that came just before it."""


def _drain(gate: Gate, seconds: float) -> None:
    time.sleep(0.2)  # what is already accepted by the kernel still comes in
    if not gate.drain(seconds):
        log.warning("stopping with requests in flight")
    time.sleep(0.1)  # let waitress flush the last answers
    signal.raise_signal(signal.SIGINT)


def _readiness(function: Function) -> tuple[str, int]:
    try:
        function.ready()
    except Unavailable as error:
        log.warning("not ready", exc_info=error)
        return "not ready", 503
    return "OK", 200


def _refuse(reason: str) -> int:
    print(f"parley: {reason}", file=sys.stderr)
    return 2


class _Main:
    """What parliament wants of a module: something with `main`."""

    def __init__(self, function: Function) -> None:
        self.main = function


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".", os.environ)
