"""Publishing: connections to the broker are kept, and replaced when they are closed or old."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from parley.adapters.broker import Publisher
from parley.envelope import Event
from parley.errors import Unavailable

EVENT = Event("1", "/test", "parley.request.created", body=b"{}")


class Broker(ThreadingHTTPServer):
    """
    Takes events; counts connections, and closes each without a word after as many events as `patience` says.

    `ended` is released for each that is closed.
    """

    def __init__(self):
        self.connections = 0
        self.ids = []
        self.patience = 1000
        self.ended = threading.Semaphore(0)
        super().__init__(("127.0.0.1", 0), _Door)
        self.url = f"http://127.0.0.1:{self.server_port}/parley/parley"

    def shutdown_request(self, request):
        super().shutdown_request(request)
        self.ended.release()


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Broker

    def setup(self):
        super().setup()
        self.server.connections += 1
        self.taken = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.ids.append(self.headers["ce-id"])
        self.taken += 1
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = self.taken >= self.server.patience

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def sink():
    with Broker() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_connection_is_kept_for_the_next_event(sink):
    """Three events, one connection."""
    publisher = Publisher(sink.url, "test")

    for _ in range(3):
        publisher.send(EVENT)

    assert (sink.connections, len(sink.ids)) == (1, 3)


def test_a_connection_that_was_closed_meanwhile_is_replaced(sink):
    """The broker has closed it while it was idle: the event goes over a new one, and nobody hears of it."""
    sink.patience = 1
    publisher = Publisher(sink.url, "test")

    for _ in range(2):
        publisher.send(EVENT)
        assert sink.ended.acquire(timeout=10)

    assert (sink.connections, len(sink.ids)) == (2, 2)


def test_an_old_connection_is_not_used_again(sink):
    """What lies between may have forgotten it, and swallows what is sent: that would cost the whole time-out."""
    publisher = Publisher(sink.url, "test", idle=-1)

    for _ in range(2):
        publisher.send(EVENT)

    assert sink.connections == 2


def test_a_broker_that_went_away_is_not_asked_for_ever(sink):
    """The kept connection is closed and a new one refused: that is told, once."""
    sink.patience = 1
    publisher = Publisher(sink.url, "test")
    publisher.send(EVENT)
    assert sink.ended.acquire(timeout=10)
    sink.socket.close()

    with pytest.raises(Unavailable):
        publisher.send(EVENT)
