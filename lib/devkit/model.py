"""
A stand-in for a large language model: it says what it is told, over the wire format of OpenAI's chat completions.

    with ScriptedModel() as model:
        model.say(Said("Every four years [1]."), Said(calls=(Call("hand_over_to_it-desk"),)), Broken(429))
        ...
        assert model.asked[0]["messages"][-1]["content"] == "…"

Without a script it answers with the first source that the prompt offers, or hands over when it can; that is no
intelligence, and enough to see a whole installation work.

It also takes the Responses API (`devkit.responses`), so that agent-turn can be pointed at it without a Llama Stack.

True to https://platform.openai.com/docs/api-reference/chat (streamed and whole, function calls, usage, errors) and
https://platform.openai.com/docs/api-reference/embeddings (synthetic ones: `devkit.embedding`).
Left out: everything that needs a model to be clever, more than one choice.
"""

import json
import re
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from devkit import embedding, responses
from devkit.embedding import MODELS, embed
from devkit.serving import Break, LocalServer, Reply, Request, StandIn, as_json

NAME = "scripted"


@dataclass(frozen=True)
class Call:
    """A function that the model wants called; `arguments` is JSON."""

    name: str
    arguments: str = "{}"


@dataclass(frozen=True)
class Said:
    """What the model says: words, function calls, or both; `delay` in seconds."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    delay: float = 0.0
    finish: str = ""


@dataclass(frozen=True)
class Broken:
    """What goes wrong instead: a status, or a connection that breaks."""

    status: int = 500
    breaks: Break = ""
    headers: dict[str, str] = field(default_factory=dict)


class ScriptedModel(StandIn):
    """Says its lines in order; without any left, what it can see from the prompt."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.embedded: list[dict[str, Any]] = []
        self._lines: deque[Said | Broken] = deque()
        self._brain: Brain = _unscripted
        self._on_asked: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._server = LocalServer(self._answer)

    @property
    def url(self) -> str:
        """The base URL, which ends with /v1."""
        return f"{self._server.url}/v1"

    def say(self, *lines: Said | Broken) -> None:
        """Say these next."""
        with self._lock:
            self._lines.extend(lines)

    def behave(self, brain: "Brain", on_asked: Callable[[], None] = lambda: None) -> None:
        """Without lines, say what `brain` makes of messages and tools; `on_asked` is called before each answer."""
        with self._lock:
            self._brain, self._on_asked = brain, on_asked

    def reset(self) -> None:
        """Forget the script and what was asked."""
        with self._lock:
            self._brain, self._on_asked = _unscripted, lambda: None
            self._lines.clear()
            self.asked.clear()
            self.embedded.clear()

    def _answer(self, request: Request) -> Reply:
        if request.method == "GET" and request.path == "/v1/models":
            one = {"object": "model", "created": 0, "owned_by": "us"}
            return as_json({"object": "list", "data": [{"id": name, **one} for name in (NAME, *MODELS)]})
        if request.method == "POST" and request.path == "/v1/embeddings":
            return self._embedded(request)
        if request.method != "POST" or request.path not in ("/v1/chat/completions", "/v1/responses"):
            return _error(404, "not found")
        return self._asked(request)

    def _asked(self, request: Request) -> Reply:
        is_response = request.path == "/v1/responses"
        try:
            asked = json.loads(request.body)
            messages, tools = responses.chat(asked) if is_response else (asked["messages"], asked.get("tools") or [])
        except (ValueError, KeyError, TypeError, AttributeError):
            return _error(400, "we could not parse the JSON body of your request")
        if asked.get("model") != NAME:
            return _error(404, f"the model {asked.get('model')!r} does not exist")
        with self._lock:
            self.asked.append(asked)
            line = self._lines.popleft() if self._lines else self._brain(messages, tools)
            on_asked = self._on_asked
        on_asked()
        if is_response and isinstance(line, Said):
            if not asked.get("stream"):
                return _error(400, "we answer in a stream only")
            body = b"".join(responses.events(line, NAME))
            return Reply(200, body, {"Content-Type": "text/event-stream"}, delay=line.delay)
        return self._said(line, streamed=bool(asked.get("stream")))

    def _embedded(self, request: Request) -> Reply:
        """Embed, unless the next line of the script is something that goes wrong."""
        with self._lock:
            line = self._lines.popleft() if self._lines and isinstance(self._lines[0], Broken) else None
        if line:
            return self._said(line, streamed=False)
        try:
            asked = json.loads(request.body)
            name, texts = asked["model"], asked["input"]
            texts = [texts] if isinstance(texts, str) else texts
            vectors = [embed(text, MODELS[name]) for text in texts]
        except KeyError as error:
            return _error(404, f"the model or field {error} does not exist")
        except (ValueError, TypeError, AttributeError):
            return _error(400, "we could not parse the JSON body of your request")
        with self._lock:
            self.embedded.append(asked)
        return as_json(embedding.answer(name, vectors, asked.get("encoding_format") or "float"))

    @staticmethod
    def _said(line: Said | Broken, *, streamed: bool) -> Reply:
        if isinstance(line, Broken):
            return (
                Reply(line.status, breaks=line.breaks) if line.breaks else _error(line.status, "scripted", line.headers)
            )
        if streamed:
            return Reply(200, b"".join(_events(line)), {"Content-Type": "text/event-stream"}, delay=line.delay)
        choice = {"index": 0, "message": _message(line), "finish_reason": _finish(line)}
        reply = as_json({**_head("chat.completion"), "choices": [choice], "usage": _usage(line)})
        return Reply(reply.status, reply.body, reply.headers, delay=line.delay)


Brain = Callable[[list[dict[str, Any]], list[dict[str, Any]]], Said | Broken]


def _unscripted(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Said:
    """Hand over when that is possible; else say the first source word for word."""
    names = [tool["function"]["name"] for tool in tools]
    seen = "\n".join(text_of(message) for message in messages)
    source = re.search(r'<source number="1"[^>]*>\n(.*?)\n</source>', seen, re.DOTALL)
    if source:
        return Said(f"{source[1]} [1]")
    return Said(calls=(Call(names[0]),)) if names else Said("I do not know.")


def text_of(message: Mapping[str, Any]) -> str:
    """Give the text of a message, whatever its parts."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _head(kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": NAME}


def _message(said: Said) -> dict[str, Any]:
    calls = [
        {
            "id": f"call_{uuid.uuid4().hex[:12]}",
            "type": "function",
            "function": {"name": c.name, "arguments": c.arguments},
        }
        for c in said.calls
    ]
    return {"role": "assistant", "content": said.text or None, **({"tool_calls": calls} if calls else {})}


def _events(said: Said) -> Iterator[bytes]:
    """Give the server-sent events of a streamed completion."""
    head, message = _head("chat.completion.chunk"), _message(said)
    calls = [{"index": number, **call} for number, call in enumerate(message.get("tool_calls", []))]
    deltas: Iterable[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        *({"content": part} for part in re.findall(r"\S*\s*", said.text) if part),
        *({"tool_calls": [piece]} for call in calls for piece in _pieces(call)),
    ]
    for delta in deltas:
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish(said)}]})
    yield _event({**head, "choices": [], "usage": _usage(said)})
    yield b"data: [DONE]\n\n"


def _pieces(call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give a call as it is streamed: its name first, then its arguments."""
    function = call["function"]
    yield {**call, "function": {"name": function["name"], "arguments": ""}}
    yield {"index": call["index"], "function": {"arguments": function["arguments"]}}


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _finish(said: Said) -> str:
    return said.finish or ("tool_calls" if said.calls else "stop")


def _usage(said: Said) -> dict[str, int]:
    words = len(said.text.split())
    return {"prompt_tokens": 10, "completion_tokens": words, "total_tokens": 10 + words}


def _error(status: int, why: str, headers: dict[str, str] | None = None) -> Reply:
    return as_json({"error": {"message": why, "type": "scripted", "param": None, "code": None}}, status, headers)
