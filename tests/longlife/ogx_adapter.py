"""
The day llama-stack-client ends: the model server is asked by ogx-client instead.

    python ogx_adapter.py URL MODEL QUESTION

It stands in for `parley.adapters.llama_stack.Client`, whose one method is all that the engine wants. As a program it
lets the shipped agents answer a question, and prints what became of it.
"""

import json
import sys
import types
from pathlib import Path

import httpx
from ogx_client import OgxClient
from ogx_client.exceptions import ApiException

from parley.adapters.llama_stack import LlamaStack, Server
from parley.agents.load import load_all
from parley.agents.loop import Conversation
from parley.errors import Unavailable


class Ogx:
    """Answers by ogx-client."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client = OgxClient(str(server.url).rstrip("/").removesuffix("/v1"), api_key=server.api_key)

    def respond(self, say, *, extra_headers=None, **wanted):
        """Ask for one answer, passing on its words, and give the response. Raises Unavailable."""
        response = None
        try:
            with self._client.responses.create(
                **wanted, store=False, stream=True, parallel_tool_calls=True,
                _request_timeout=self._server.seconds, _headers=extra_headers,
            ) as events:  # fmt: skip
                for event in map(_plain, events):
                    if event["type"] == "response.output_text.delta":
                        say(event["delta"])
                    elif event["type"] in ("response.completed", "response.incomplete", "response.failed"):
                        response = _response(event["response"])
        except ApiException as error:
            if error.status in (400, 413, 422):
                raise RuntimeError(f"the model server refused the request: {error.status}") from None
            raise Unavailable(f"the model server {_said(error.status)}") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"the model server cannot be reached: {type(error).__name__}") from None
        if response is None or response.status not in ("completed", "incomplete"):
            raise Unavailable("the model server's stream ended before the answer")
        return response


def _said(status):
    return f"answered {status}" if status else "cannot be reached"


def _plain(event):
    """Give an event as the JSON that it was: its types differ from release to release."""
    return (
        event if isinstance(event, dict) else json.loads(json.dumps(event.to_dict(), default=lambda one: one.to_dict()))
    )


def _response(told):
    """Give a response as the engine reads it."""
    texts = [part["text"] for item in told["output"] for part in item.get("content") or () if part.get("text")]
    whole = {"usage": None, "error": None, **told, "output_text": "".join(texts)}
    return json.loads(json.dumps(whole, default=str), object_hook=lambda found: types.SimpleNamespace(**found))


def main(url: str, model: str, question: str) -> int:
    """Let the shipped agents answer."""
    configured = load_all(Path(__file__).resolve().parents[2] / "config")
    server = Server(url, model=model, api_key="a key")
    said = []
    engine = LlamaStack(server, configured.agents, Nothing(), client=Ogx(server))
    entry = configured.agents.entry
    try:
        answer = engine.ask(entry, Conversation(question, (), entry.name), said.append)
    except Unavailable as error:
        print(json.dumps({"unavailable": str(error)}))
        return 0
    usage = answer.usage and [answer.usage.input_tokens, answer.usage.output_tokens]
    print(json.dumps({**answer.as_dict(), "said": "".join(said), "usage": usage}))
    return 0


class Nothing:
    """A knowledge base without a document."""

    def search(self, *_, **__):
        return ()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
