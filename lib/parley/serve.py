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
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import parliament.server
import waitress.channel
import waitress.parser
import waitress.server
import waitress.task
from werkzeug.exceptions import HTTPException

from parley import config, envelope, logs, runtime, telemetry
from parley.config import Range
from parley.dispatch import Dispatcher
from parley.errors import Misconfigured, Unavailable
from parley.runtime import Function, HttpFunction

log = logging.getLogger("parley.serve")

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Server:
    """How to listen. `threads` is two above containerConcurrency, so that health checks always find one."""

    port: Annotated[int, Range(1, 65535)] = 8080
    address: str = "0.0.0.0"  # noqa: S104 - a container's only interface
    threads: config.Count = 8
    log_level: logs.Level = "INFO"
    drain_seconds: Annotated[float, Range(0, 86_400)] = 280.0


class Gate:
    """Says, once it is closing, that no more should be sent here; what comes all the same is let in."""

    def __init__(self, app: Wsgi) -> None:
        self._app = app
        self.closing = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self.closing and environ["PATH_INFO"] == "/health/readiness":
            start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"draining"]
        return self._app(environ, start_response)


def application(function: Function) -> Any:
    """Give the Flask app of a function: parliament's, with honest readiness and the function's own paths."""
    app = parliament.server.create(_Main(function))
    app.view_functions["readiness"] = lambda: _readiness(function)
    if not isinstance(function, HttpFunction):  # those that are open to everybody are called when they are needed
        app.add_url_rule("/wake", "wake", lambda: ("", 202), methods=["POST"])
    app.register_error_handler(HTTPException, _problem)
    function.routes(app)
    if telemetry.is_on():
        _tell(app, function)
    return app


def tell(service: str, env: Mapping[str, str]) -> None:
    """Tell of this process from now on, when `env` wants it: before `application`. Raises Misconfigured."""
    if wanted := telemetry.signals(env):
        from parley.adapters import otel

        telemetry.use(otel.started(service, wanted, env))


def main(folder: str, env: Mapping[str, str], around: Callable[[Function, Wsgi], Wsgi] = lambda _, app: app) -> None:
    """
    Serve the function in `folder` until SIGTERM. Exits with 2 and one line when a setting is wrong.

    `around` gives what is served in the place of the function's app.
    """
    gc.disable()  # imports make garbage that is not worth looking for
    try:
        server = config.load(Server, env)
        logs.start(server.log_level)
        sys.path.insert(0, os.path.realpath(folder))  # parliament only appends, and `func` may be there twice
        function = parliament.server.load(folder).function
        tell(function.name, env)
        app = around(function, application(function))
        gc.collect()
        gc.freeze()
        gc.enable()
        with contextlib.ExitStack() as closing:
            closing.callback(telemetry.stop)
            run(app, server, function.close)
    except Misconfigured as error:
        sys.exit(_refuse(str(error)))


def run(
    app: Wsgi,
    server: Server,
    close: Callable[[], None],
    listening: Callable[[], None] = lambda: None,
) -> None:
    """
    Listen until SIGTERM or SIGINT, then finish what is in flight. `listening` is called when the port is open.

    Raises Misconfigured when the port cannot be had.
    """
    gate = Gate(app)
    waitress.server.BaseWSGIServer.channel_class = _Channel  # waitress has no setting for it
    opened = listen(
        gate,
        "PORT",
        server.address,
        server.port,
        _dispatcher=Dispatcher(server.threads),
        connection_limit=1000,
        channel_request_lookahead=1,  # so that it is seen when a caller who waits has left
        max_request_body_size=2 << 20,
        channel_timeout=620,
    )

    def leave(*_: object) -> None:
        gate.closing = True
        runtime.leaving.set()
        signal.signal(signal.SIGTERM, ignore)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # KeyboardInterrupt is what ends waitress' loop
        threading.Thread(target=_drain, args=(opened.task_dispatcher, server.drain_seconds), daemon=True).start()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    log.info("listening", extra={"fields": {"port": server.port, "threads": server.threads}})
    try:
        with contextlib.suppress(KeyboardInterrupt):  # a signal may come before waitress looks out for it
            listening()
            opened.run()
    finally:
        signal.signal(signal.SIGINT, ignore)  # nobody's impatience cuts the end
        close()
    log.info("stopped")


def finished(dispatcher: Any, seconds: float) -> bool:
    """
    Wait until no request is being handled and none waits for a thread, at most `seconds`. Returns whether it is so.

    It must be so twice: in between, waitress flushes the last answers and takes what has come meanwhile.
    """
    end = time.monotonic() + seconds
    quiet = 0
    while quiet < 2:
        with dispatcher.lock:
            is_quiet = not dispatcher.queue and not dispatcher.active_count
        if not is_quiet and time.monotonic() > end:
            return False
        quiet = quiet + 1 if is_quiet else 0
        time.sleep(0.05)
    return True


def listen(app: Any, setting: str, address: str, port: int, **options: Any) -> Any:
    """Open a port for an app; gives waitress' server. Raises Misconfigured that names the port's setting."""
    try:
        return waitress.server.create_server(
            app, host=address, port=port, ident=None, asyncore_use_poll=True, **options
        )
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{setting}: cannot listen at {address}:{port}: {error}") from None


def ignore(*_: object) -> None:
    """Take a signal without a word. SIG_IGN would not do: Python complains of a signal that came just before it."""


def _drain(dispatcher: Any, seconds: float) -> None:
    time.sleep(0.2)  # what is already accepted by the kernel still comes in
    if not finished(dispatcher, seconds):
        log.warning("stopping with requests in flight")
    signal.raise_signal(signal.SIGINT)


def _readiness(function: Function) -> tuple[str, int]:
    try:
        function.ready()
    except Unavailable as error:
        log.warning("not ready", exc_info=error)
        return "not ready", 503
    return "OK", 200


def _tell(app: Any, function: Function) -> None:
    """Tell of each request and event: one span, one measurement. Nobody needs to be told of health checks."""
    import flask

    def begin() -> None:
        request, g = flask.request, flask.g
        if request.path.startswith("/health/"):
            return
        g.told = telemetry.handling(function.name, function.operation(request), request.method, dict(request.headers))
        g.told.__enter__()

    def say(response: Any) -> Any:
        if told := flask.g.get("told"):
            told.status = response.status_code
        return response

    def end(error: BaseException | None) -> None:
        if told := flask.g.pop("told", None):
            told.__exit__(type(error) if error else None, error, None)

    app.before_request_funcs.setdefault(None, []).insert(0, begin)
    app.after_request_funcs.setdefault(None, []).insert(0, say)  # they run in the opposite order: the last word is told
    app.teardown_request(end)


def _refuse(reason: str) -> int:
    print(f"parley: {reason}", file=sys.stderr)
    return 2


def _problem(error: HTTPException) -> tuple[bytes, int, dict[str, str]]:
    """Say what the function itself has no answer for, such as a path that it has not: a problem, like its own."""
    kind = "urn:parley:problem:not-found" if error.code == 404 else "about:blank"
    body = envelope.dumps({"type": kind, "title": error.name, "status": error.code})
    allow = {name: value for name, value in error.get_headers() if name == "Allow"}
    return body, error.code or 500, {"Content-Type": "application/problem+json", **allow}


class _Refusal(waitress.task.ErrorTask):
    """What waitress answers by itself, such as 413 for a body that is too large: a problem, like those of the API."""

    def execute(self) -> None:
        request: Any = self.request  # its stub says that it is the error itself
        error = request.error
        kind = "urn:parley:problem:too-large" if error.code == 413 else "about:blank"
        body = envelope.dumps({"type": kind, "title": error.reason, "status": error.code})
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [("Content-Type", "application/problem+json"), ("Cache-Control", "no-store")]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
        channel: Any = self.channel
        channel.lingers = error.code == 413


class _Parser(waitress.parser.HTTPRequestParser):
    """Refuses what says twice how long it is: a proxy in front may believe the other word (RFC 9112, 6.1)."""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise waitress.parser.ParsingError("both Transfer-Encoding and Content-Length")


class _Channel(waitress.channel.HTTPChannel):
    """
    Reads on, and forgets, after a body was refused: closed at once, who is still sending would not hear why.

    So much for a hundred megabytes; waitress closes what takes longer than its `channel_timeout`.
    """

    parser_class = _Parser
    error_task_class = _Refusal
    lingers = False
    _left = 0

    def handle_close(self) -> None:
        if not self.lingers:
            super().handle_close()
            return
        self.lingers, self.will_close, self._left = False, False, _FORGOTTEN
        try:
            assert self.socket, "it is open"
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            super().handle_close()

    def readable(self) -> bool:
        return self._left > 0 or bool(super().readable())

    def handle_read(self) -> None:
        if not self._left:
            super().handle_read()
            return
        self._left -= len(self.recv(1 << 16))  # which closes when there is no more
        if self._left <= 0:
            super().handle_close()


_FORGOTTEN = 100 << 20  # bytes


class _Main:
    """What parliament wants of a module: something with `main`."""

    def __init__(self, function: Function) -> None:
        self.main = function


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".", os.environ)
