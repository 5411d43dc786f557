"""Streams of a model server that break, stall or err in the middle: never half an answer."""

import json
import socket
import threading

import pytest

from parley.adapters.llama_stack import LlamaStack, Server
from parley.agents import loop
from parley.agents.config import parse
from parley.errors import Unavailable

AGENTS = parse({"desk": {"name": "desk", "description": "Helps.", "instructions": "Help.", "entry": True}})
DELTA = {"type": "response.output_text.delta", "delta": "Hello ", "content_index": 0, "output_index": 0, "item_id": "i",
         "sequence_number": 1, "logprobs": []}  # fmt: skip


class Nothing:
    def search(self, *_, **__):
        return []


def event(value):
    return b"data: " + json.dumps(value).encode() + b"\n\n"


@pytest.fixture
def served():
    """A server that says these bytes and then does `then`; gives how often it was asked, too."""
    listeners, asked = [], []

    def make(body, then="close", status="200 OK"):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.recv(65_536)
                asked.append(1)
                kind = b"text/event-stream" if status.startswith("200") else b"application/json"
                head = b"HTTP/1.1 " + status.encode() + b"\r\nContent-Type: " + kind + b"\r\n"
                chunk = b"%x\r\n" % len(body) + body + b"\r\n" if body else b""
                connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
                if then == "end":
                    connection.sendall(b"0\r\n\r\n")
                if then == "hang":
                    threading.Event().wait(3)
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}", asked

    yield make
    for listener in listeners:
        listener.close()


def ask(url, seconds=5.0):
    engine, said = LlamaStack(Server(url, "m", seconds=seconds), AGENTS, Nothing()), []
    return engine.ask(AGENTS.entry, loop.start(AGENTS, "Hi?", (), None), said.append), said


@pytest.mark.parametrize(
    ("body", "then"),
    [
        (event(DELTA), "close"), (event(DELTA), "end"), (b"", "end"), (b"", "close"),
        (event(DELTA) + b"data: {nonsense\n\n", "end"), (event(DELTA) + event({"error": {"message": "x"}}), "end"),
        (event({"error": {"message": "slow down", "code": "429"}}), "end"),
        (event({"error": {"message": "gone", "code": "404"}}), "end"),
    ],
    ids=["cut", "no end", "empty", "empty cut", "nonsense", "an error", "429", "404"],
)  # fmt: skip
def test_a_stream_without_its_end_is_no_answer(served, body, then):
    url, _ = served(body, then)
    with pytest.raises(Unavailable):
        ask(url)


def test_a_stream_that_stalls_is_left_and_not_asked_again(served):
    url, asked = served(event(DELTA), "hang")
    with pytest.raises(Unavailable, match="Timeout"):
        ask(url, seconds=0.3)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("400 Bad", RuntimeError), ("422 Bad", RuntimeError), ("401 No", Unavailable), ("404 No", Unavailable),
        ("429 Slow", Unavailable), ("500 Oh", Unavailable), ("503 Oh", Unavailable),
    ],
)  # fmt: skip
def test_a_status_is_a_bug_of_ours_or_may_pass(served, status, error):
    url, asked = served(b'{"detail": "secret text"}', "end", status)
    with pytest.raises(error) as caught:
        ask(url)
    assert "secret" not in str(caught.value)
    assert len(asked) == 1, "nothing is retried here"


def test_a_call_of_a_model_is_told_by_the_conventions_and_without_its_words(served, told):
    """Span and tokens by OpenTelemetry's GenAI names; the server is asked to go on with the trace."""
    usage = {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}
    message = {"type": "message", "role": "assistant", "id": "m", "status": "completed",
               "content": [{"type": "output_text", "text": "Secret words.", "annotations": []}]}  # fmt: skip
    response = {"id": "resp-1", "model": "m-2", "status": "completed", "output": [message], "usage": usage,
                "created_at": 1, "object": "response"}  # fmt: skip
    done = {"type": "response.completed", "response": response, "sequence_number": 2}
    url, _ = served(event(DELTA) + event(done), "end")

    ask(url)

    points = told.points("gen_ai.client.token.usage")
    span = told.spans()["chat m"]
    assert span.kind.name == "CLIENT"
    assert {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "llama_stack", "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-2", "gen_ai.response.id": "resp-1", "gen_ai.agent.name": "desk",
        "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3,
    }.items() <= span.attributes.items()  # fmt: skip
    assert {point.attributes["gen_ai.token.type"]: point.sum for point in points} == {"input": 12, "output": 3}
    assert "Secret" not in span.to_json()


def test_a_call_of_a_model_that_fails_says_how(served, told):
    url, _ = served(b"{}", "end", "503 Oh")

    with pytest.raises(Unavailable):
        ask(url)

    [point] = told.points("gen_ai.client.operation.duration")
    assert point.attributes["error.type"] == "Unavailable"
    assert told.spans()["chat m"].status.status_code.name == "ERROR"
