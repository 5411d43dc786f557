"""How an event reaches a function: over HTTP and in this process."""

import socket
import threading

import pytest

from standalone.subscribers import HttpSubscriber, WsgiSubscriber

PATIENCE = 20
HEADERS = {"ce-id": "1", "ce-source": "/test", "ce-type": "t", "ce-specversion": "1.0", "content-type": "text/plain"}


class Server:
    """An HTTP server of one script: each connection is a list of raw answers; None closes it without one."""

    def __init__(self, *connections):
        self._script = list(connections)
        self.requests = []
        self.connections = 0
        self.changed = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/hook"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        for answers in self._script:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection, connection.makefile("rb") as stream:
                for answer in answers:
                    if answer is None:
                        break
                    self.requests.append(_request(stream))
                    connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
            with self.changed:
                self.changed.notify_all()

    def close(self):
        self._socket.close()


def _request(stream):
    lines = []
    while (line := stream.readline().strip()) or not lines:
        lines.append(line.decode())
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return lines[0], headers, stream.read(int(headers.get("content-length", 0)))


def answer(status="202 Accepted", body=b"", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def serve():
    """Start servers, which are closed at the end."""
    made = []

    def start(*connections):
        made.append(Server(*connections))
        return made[-1]

    yield start
    for server in made:
        server.close()


def test_event_is_posted_and_the_answer_comes_back(serve):
    """
    One POST with the headers and the body; status, headers in lower case (folded) and body of the answer.
    """
    server = serve([answer("200 OK", b"{}", "Ce-Id: 2", "X-A: 1", "X-A: 2")])
    subscriber = HttpSubscriber(server.url)

    status, headers, body = subscriber.post(HEADERS, b"data", PATIENCE)

    line, sent, posted = server.requests[0]
    assert (line, posted, sent["ce-id"], sent["content-type"]) == ("POST /hook HTTP/1.1", b"data", "1", "text/plain")
    assert (status, body) == (200, b"{}")
    assert (headers["ce-id"], headers["x-a"]) == ("2", "1, 2")
    subscriber.close()


def test_connection_is_kept_for_the_next_event(serve):
    """
    Three events, one connection.
    """
    server = serve([answer()] * 3)
    subscriber = HttpSubscriber(server.url)

    statuses = [subscriber.post(HEADERS, b"", PATIENCE)[0] for _ in range(3)]

    assert statuses == [202, 202, 202]
    assert server.connections == 1
    subscriber.close()


def test_kept_connection_that_the_server_has_closed_is_replaced(serve):
    """
    The server went away between two events: the second one is sent again over a new connection, once.
    """
    server = serve([answer(), None], [answer("200 OK")])
    subscriber = HttpSubscriber(server.url)
    subscriber.post(HEADERS, b"", PATIENCE)
    with server.changed:
        server.changed.wait_for(lambda: server.connections == 1, PATIENCE)

    status, _, _ = subscriber.post(HEADERS, b"", PATIENCE)

    assert status == 200
    assert server.connections == 2
    subscriber.close()


@pytest.mark.parametrize("nonsense", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"])
def test_answer_that_is_no_http_is_a_failed_connection(serve, nonsense):
    """
    Whatever is wrong with a new connection is an OSError, and nothing is sent twice.
    """
    server = serve([nonsense])
    subscriber = HttpSubscriber(server.url)

    with pytest.raises(OSError, match=r".*"):
        subscriber.post(HEADERS, b"", PATIENCE)

    assert server.connections == 1


def test_nobody_listens():
    """
    A refused connection is an OSError.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(OSError, match=r".*"):
        HttpSubscriber(f"http://127.0.0.1:{port}").post(HEADERS, b"", PATIENCE)


def test_silent_server_is_a_timeout():
    """
    A server that accepts and says nothing costs the time-out and no more.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        subscriber = HttpSubscriber(f"http://127.0.0.1:{silent.getsockname()[1]}")

        with pytest.raises(TimeoutError):
            subscriber.post(HEADERS, b"", 0.05)


class Answer:
    """What a WSGI app gives back: an iterable that wants to be closed."""

    def __init__(self, *parts):
        self.parts = parts
        self.closed = False

    def __iter__(self):
        return iter(self.parts)

    def close(self):
        self.closed = True


def test_app_is_called_as_a_server_would():
    """
    The app sees a POST to `/` with headers and body; its answer is joined, folded and closed.
    """
    seen = {}
    given = Answer(b"a", b"b")

    def app(environ, start_response):
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-A", "1"), ("x-a", "2")])
        return given

    status, headers, body = WsgiSubscriber(app).post(HEADERS, b"data", PATIENCE)

    assert (seen["REQUEST_METHOD"], seen["PATH_INFO"], seen["CONTENT_LENGTH"]) == ("POST", "/", "4")
    assert (seen["HTTP_CE_ID"], seen["CONTENT_TYPE"], seen["body"]) == ("1", "text/plain", b"data")
    assert (status, headers, body) == (200, {"content-type": "text/plain", "x-a": "1, 2"}, b"ab")
    assert given.closed


def test_app_is_valid_wsgi():
    """
    The standard library's validator finds nothing wrong with the call.
    """
    from wsgiref.validate import validator

    def app(environ, start_response):
        environ["wsgi.input"].read(4)
        start_response("204 No Content", [])
        return [b""]

    assert WsgiSubscriber(validator(app)).post(HEADERS, b"data", PATIENCE)[0] == 204


def test_app_that_fails_is_a_500():
    """
    An exception of the app is what a server would make of it, and never leaves in the answer.
    """

    def app(environ, start_response):
        raise RuntimeError("secret")

    assert WsgiSubscriber(app).post(HEADERS, b"", PATIENCE) == (500, {}, b"")
