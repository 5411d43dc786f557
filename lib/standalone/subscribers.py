"""How an event reaches a function: over HTTP to another process, or by a call of its WSGI app in this one."""

import contextlib
import http.client
import io
import logging
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

log = logging.getLogger("standalone.subscribers")

Answer = tuple[int, dict[str, str], bytes]
_KEPT_CONNECTIONS = 8
# What a server's end of a connection that it closed while it was idle looks like: no byte of an answer.
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Subscriber(Protocol):
    """Takes one event, as one POST."""

    def post(self, headers: dict[str, str], body: bytes, timeout: float) -> Answer:
        """
        Send and give status, headers (names in lower case) and body of the answer.

        Raises TimeoutError after about `timeout` seconds where it can tell, OSError when the connection fails.
        """


class HttpSubscriber:
    """POSTs to `url` (http), over connections that are kept for the next event."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self._address = parts.netloc
        self._path = parts.path or "/"
        self._lock = threading.Lock()
        self._kept: list[http.client.HTTPConnection] = []

    def post(self, headers: dict[str, str], body: bytes, timeout: float) -> Answer:
        connection = self._take()
        if connection:
            with contextlib.suppress(*_STALE):  # it got nothing: once more, over a new one
                return self._exchange(connection, headers, body, timeout)
        return self._exchange(http.client.HTTPConnection(self._address), headers, body, timeout)

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            for connection in self._kept:
                connection.close()
            self._kept.clear()

    def _exchange(
        self, connection: http.client.HTTPConnection, headers: dict[str, str], body: bytes, timeout: float
    ) -> Answer:
        try:
            connection.timeout = timeout
            if connection.sock:
                connection.sock.settimeout(timeout)
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            answer = response.status, _folded(response.getheaders()), response.read()
        except http.client.RemoteDisconnected:
            connection.close()
            raise
        except http.client.HTTPException as error:
            connection.close()
            raise ConnectionError("the answer is no HTTP") from error
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return answer

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if connection.sock and len(self._kept) < _KEPT_CONNECTIONS:
                self._kept.append(connection)
                return
        connection.close()


class WsgiSubscriber:
    """Calls a WSGI app in this process. It cannot end a call that takes too long: the broker counts the time."""

    def __init__(self, app: Callable[[dict[str, Any], Any], Iterable[bytes]]) -> None:
        self._app = app

    def post(self, headers: dict[str, str], body: bytes, timeout: float) -> Answer:  # noqa: ARG002 - see the class
        started: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start_response(status: str, fields: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], Any]:
            del exc_info
            started.append((status, fields))
            return written.append

        try:
            result = self._app(_environ(headers, body), start_response)
            try:
                written.extend(result)
            finally:
                if close := getattr(result, "close", None):
                    close()
            status, fields = started[-1]
        except Exception:
            # What any server answers for an app that fails.
            log.exception("an app failed")
            return 500, {}, b""
        return int(status.split()[0]), _folded(fields), b"".join(written)


def _environ(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """A WSGI environment (PEP 3333) for a POST to `/`."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


def _folded(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by their name in lower case; one that is there twice is joined by a comma."""
    folded: dict[str, str] = {}
    for name, value in fields:
        key = name.lower()
        folded[key] = f"{folded[key]}, {value}" if key in folded else value
    return folded
