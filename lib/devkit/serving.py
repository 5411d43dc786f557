"""
A small HTTP server on 127.0.0.1 that can also misbehave: what the stand-ins of this package are made of.

It speaks HTTP/1.1 with keep-alive (RFC 9112, https://www.rfc-editor.org/rfc/rfc9112) on one thread for each
connection, and breaks connections as networks do: with a TCP reset, by silence, by a body that drips or never ends.
Left out: TLS, HTTP/2, chunked requests (411), requests above 16 MiB (413).
"""

import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self, cast
from urllib.parse import urlsplit

type Break = Literal["", "reset", "hang", "trickle", "endless"]

LARGEST = 16 * 1024 * 1024  # bytes of a request


@dataclass(frozen=True)
class Request:
    """What came in. Names of headers are in lower case; of a header that came twice the last value is kept."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """
    What goes out, after `delay` seconds.

    `breaks`: "reset" sends nothing and resets the connection; "hang" sends nothing until the client or the server
    gives up; "trickle" sends the body one byte each `pace` seconds; "endless" sends the body again and again.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    breaks: Break = ""
    pace: float = 0.05


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with JSON."""
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Reply(status, json.dumps(value).encode(), {**kind, **(headers or {})})


class LocalServer:
    """Serves `answer` on 127.0.0.1 from start() to stop(); port 0 takes a free one."""

    def __init__(self, answer: Callable[[Request], Reply], port: int = 0) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        self._wanted = port
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server, "not started"
        return self._server.server_port

    @property
    def url(self) -> str:
        """http://127.0.0.1:port, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen; the port accepts connections when this returns. Raises OSError when the port is taken."""
        self._server = _Server(("127.0.0.1", self._wanted), self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening and cut every open connection."""
        self.stopping.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class StandIn:
    """What answers by a server of its own, `_server`, for as long as a `with` lasts."""

    _server: LocalServer

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()


class _Server(ThreadingHTTPServer):
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], owner: LocalServer) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def cut(self) -> None:
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet when a client went away; anything else is a bug of the stand-in."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def _owner(self) -> LocalServer:
        return cast(_Server, self.server).owner

    def setup(self) -> None:
        super().setup()
        cast(_Server, self.server).opened(self.connection)

    def finish(self) -> None:
        cast(_Server, self.server).closed(self.connection)
        super().finish()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing: tests read what was recorded."""

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal():
            self._give_up(Reply(411))
        elif int(length) > LARGEST:
            self._give_up(Reply(413))
        else:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(length))
            self._send(self._owner.answer(Request(self.command, parts.path, parts.query, headers, body)))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = _serve  # noqa: N815 - the names of http.server

    def _give_up(self, reply: Reply) -> None:
        self.close_connection = True
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        if reply.delay and self._owner.stopping.wait(reply.delay):
            self.close_connection = True
            return
        match reply.breaks:
            case "reset":
                self._reset()
            case "hang":
                self.close_connection = True
                self._owner.stopping.wait()
            case "trickle":
                self._trickle(reply)
            case "endless":
                self._endless(reply)
            case _:
                self.wfile.write(self._head(reply, len(reply.body)) + self._body(reply))

    def _body(self, reply: Reply) -> bytes:
        return b"" if self.command == "HEAD" or reply.status in (204, 304) else reply.body

    def _head(self, reply: Reply, length: int | None) -> bytes:
        phrase = HTTPStatus(reply.status).phrase if reply.status in set(HTTPStatus) else "Unknown"
        lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in reply.headers.items())]
        if length is None:
            self.close_connection = True
            lines.append("Connection: close")
        elif reply.status != 204:
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _reset(self) -> None:
        """Close at once with RST: SO_LINGER with no time, on the descriptor, since files still hold the socket."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _trickle(self, reply: Reply) -> None:
        self.wfile.write(self._head(reply, len(reply.body)))
        for byte in reply.body:
            if self._owner.stopping.wait(reply.pace):
                break
            self.wfile.write(bytes([byte]))
        self.close_connection = True

    def _endless(self, reply: Reply) -> None:
        self.wfile.write(self._head(reply, None))
        chunk = (reply.body or b"x") * 1024
        while not self._owner.stopping.is_set():
            self.wfile.write(chunk)
